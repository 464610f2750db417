"""Zappa, which runs a WSGI application as a function, behind a function URL or a REST API.

It makes the latter by CloudFormation, and all else by AWS's API.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cloudlet.testing.server import Aws
from tests.e2e.client import PATH, ZAPPA, Client
from tests.e2e.conftest import MakeClient
from tests.e2e.packages import python_runtime
from tests.standing import eventually

APP = """
from flask import Flask, request

app = Flask(__name__)


@app.route("/orders/<number>", methods=["GET", "POST"])
def order(number):
    return {"greeting": "hello", "number": number, "body": request.get_json(silent=True), "query": request.args}


def count(event=None, context=None):
    return "counted"
"""


FRONTS = {
    "function URL": {"apigateway_enabled": False, "function_url_enabled": True},
    # It would look whether its API answers, by a name that leads to AWS.
    "API Gateway URL": {"touch": False},
}
"""The service in front of the application, by the name that `zappa status` has for its URL."""


@pytest.fixture(params=FRONTS)
def front(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def zappa(client: MakeClient, tmp_path: Path, aws: Aws, monkeypatch: pytest.MonkeyPatch, front: str) -> Client:
    """The program, in the application's folder."""
    stage = {
        "app_function": "app.app",
        "aws_region": aws.region,
        "project_name": "shop",
        "runtime": python_runtime(),
        "s3_bucket": f"zappa-{aws.account}",
        **FRONTS[front],
        "keep_warm": False,
        "events": [{"function": "app.count", "expression": "rate(5 minutes)"}],
    }
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "app.py").write_text(APP)
    (folder / "zappa_settings.json").write_text(json.dumps({"dev": stage}))
    monkeypatch.chdir(folder)
    path = os.pathsep.join((str(ZAPPA), PATH))
    return client(str(ZAPPA / "zappa"), VIRTUAL_ENV=str(ZAPPA.parent), PATH=path)


def test_an_application_from_its_first_deployment_to_its_end(
    zappa: Client, client: MakeClient, aws: Aws, front: str
) -> None:
    assert "Deployment complete" in zappa.run("deploy", "dev")
    status = json.loads(zappa.run("status", "dev", "--json"))
    assert [each["Event Rule Schedule"] for each in status["Events"]] == ["rate(5 minutes)"]
    curl = client("curl")
    told = {name.lower(): value for name, value in status.items()}[front.lower()]
    host = urlsplit(told).netloc
    url = f"{aws.endpoint}{urlsplit(told).path.rstrip('/')}/orders/7?tag=a"
    to_it = ("-H", f"Host: {host}")
    posted = ("-H", "Content-Type: application/json", "-d", '{"of": "ein Stück"}')
    assert json.loads(curl.run("-sSf", *to_it, *posted, url)) == {
        "greeting": "hello",
        "number": "7",
        "body": {"of": "ein Stück"},
        "query": {"tag": "a"},
    }
    assert "counted" in zappa.run("invoke", "dev", "app.count")

    Path("app.py").write_text(APP.replace('"hello"', '"good day"'))
    assert "is live" in zappa.run("update", "dev")
    assert json.loads(curl.run("-sSf", *to_it, url))["greeting"] == "good day"
    zappa.run("rollback", "dev", "-n", "1")
    eventually(lambda: json.loads(curl.run("-sSf", *to_it, url))["greeting"] == "hello")

    zappa.run("undeploy", "dev", "--yes", "--remove-logs")
    assert aws.client("lambda").list_functions()["Functions"] == []
    assert aws.client("events").list_rules()["Rules"] == []
    assert aws.client("apigateway").get_rest_apis()["items"] == []
