"""AWS Chalice, which deploys an application by AWS's API: its role, functions, REST API and event sources."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.e2e.client import CHALICE, Client
from tests.e2e.conftest import MakeClient
from tests.standing import eventually

APP = """
import boto3
from chalice import AuthResponse, Chalice, NotFoundError

app = Chalice(app_name="shop")
s3 = boto3.client("s3")
GREETING = "hello"


@app.route("/")
def index():
    return {"greeting": GREETING}


@app.route("/orders/{number}", methods=["POST"], cors=True)
def order(number):
    if number == "0":
        raise NotFoundError("no such order")
    return {"number": number, "body": app.current_request.json_body, "query": app.current_request.query_params}


@app.authorizer()
def guard(request):
    return AuthResponse(routes=["/secret"] if request.token == "friend" else [], principal_id="ann")


@app.route("/secret", authorizer=guard)
def secret():
    return app.current_request.context["authorizer"]["principalId"]


@app.on_sqs_message(queue="parcels", batch_size=1)
def pack(event):
    for record in event:
        s3.put_object(Bucket="BUCKET", Key=record.body, Body=b"packed")
"""


@pytest.fixture
def chalice(client: MakeClient, tmp_path: Path) -> Client:
    """The program, whose `--project-dir` is the application's folder."""
    (tmp_path / "shop" / ".chalice").mkdir(parents=True)
    config = {"version": "2.0", "app_name": "shop", "stages": {"dev": {"api_gateway_stage": "api"}}}
    (tmp_path / "shop" / ".chalice" / "config.json").write_text(json.dumps(config))
    (tmp_path / "shop" / "requirements.txt").write_text("")
    return client(str(CHALICE / "chalice"))


def test_an_application_from_its_first_deployment_to_its_end(
    chalice: Client, client: MakeClient, aws: Aws, bucket: str, tmp_path: Path
) -> None:
    queue = aws.client("sqs").create_queue(QueueName="parcels", Attributes={"VisibilityTimeout": "60"})["QueueUrl"]
    folder = tmp_path / "shop"
    app = folder / "app.py"
    app.write_text(APP.replace("BUCKET", bucket))
    here = ("--project-dir", folder)
    assert "Creating Rest API" in chalice.run(*here, "deploy")

    role = aws.client("iam").get_role(RoleName="shop-dev")["Role"]
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": "lambda.amazonaws.com"}
    policy = aws.client("iam").get_role_policy(RoleName="shop-dev", PolicyName="shop-dev")["PolicyDocument"]
    assert "s3:PutObject" in [action for each in policy["Statement"] for action in each["Action"]]

    host = chalice.run(*here, "url").strip().removeprefix("https://").partition("/")[0]
    curl = client("curl")

    def call(path: str, *options: str) -> Any:
        said = curl.run("-sS", "-w", " %{http_code}", "-H", f"Host: {host}", *options, f"{aws.endpoint}/api{path}")
        body, _, status = said.rpartition(" ")
        return int(status), json.loads(body) if body.startswith(("{", "[")) else body

    assert call("/") == (200, {"greeting": "hello"})
    posted = ("-H", "Content-Type: application/json", "-d", '{"of": "ein Stück"}')
    assert call("/orders/7?tag=a", *posted) == (
        200,
        {"number": "7", "body": {"of": "ein Stück"}, "query": {"tag": "a"}},
    )
    assert call("/orders/0", *posted) == (404, {"Code": "NotFoundError", "Message": "no such order"})
    assert call("/secret")[0] == 401
    assert call("/secret", "-H", "Authorization: enemy")[0] == 403
    assert call("/secret", "-H", "Authorization: friend") == (200, "ann")

    aws.client("sqs").send_message(QueueUrl=queue, MessageBody="parcel-1")
    objects = aws.client("s3")
    eventually(lambda: [each["Key"] for each in objects.list_objects_v2(Bucket=bucket).get("Contents", [])])

    app.write_text(app.read_text().replace('"hello"', '"good day"'))
    assert "Updating lambda function: shop-dev\n" in chalice.run(*here, "deploy")
    assert call("/") == (200, {"greeting": "good day"})

    chalice.run(*here, "delete")
    assert aws.client("iam").list_roles()["Roles"] == []
    assert aws.client("lambda").list_functions()["Functions"] == []
    assert aws.client("lambda").list_event_source_mappings()["EventSourceMappings"] == []
    assert aws.client("apigateway").get_rest_apis()["items"] == []
