"""The AWS SAM CLI, which builds, deploys and synchronises an application by stacks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cloudlet.testing.server import Aws
from tests.e2e.client import DEPLOYING, SAM, Client
from tests.e2e.conftest import MakeClient
from tests.standing import eventually


@pytest.fixture
def sam(client: MakeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    """The program, in the application's folder."""
    shutil.copytree(DEPLOYING / "sam", tmp_path / "shop")
    monkeypatch.chdir(tmp_path / "shop")
    return client(str(SAM / "sam"), SAM_CLI_TELEMETRY="0", SAM_CLI_POLL_DELAY="0.2")


def test_an_application_from_its_build_to_its_end(sam: Client, client: MakeClient, aws: Aws, bucket: str) -> None:
    on_stack, to_bucket = ("--stack-name", "shop"), ("--s3-bucket", bucket)
    assert "is a valid SAM Template" in sam.run("validate", "--lint")
    assert "Build Succeeded" in sam.run("build")
    deployed = sam.run("deploy", *on_stack, *to_bucket, "--capabilities", "CAPABILITY_IAM")
    assert "Successfully created/updated stack - shop" in deployed
    resources = json.loads(sam.run("list", "resources", *on_stack, "--output", "json"))
    ids = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in resources}

    host = f"Host: {ids['ServerlessRestApi']}.execute-api.{aws.region}.amazonaws.com"
    assert client("curl").run("-sSf", "-H", host, f"{aws.endpoint}/Prod/orders") == "hello"
    event = json.dumps({"path": "/remote"})
    invoked = sam.run("remote", "invoke", "Order", *on_stack, "--event", event)
    assert json.loads(invoked.splitlines()[-1]) == {"statusCode": 200, "body": "hello"}
    eventually(lambda: "asked for /remote" in sam.run("logs", *on_stack, "--name", "Order"))

    source = Path("src/app.py")
    source.write_text(source.read_text().replace('"hello"', '"good day"'))
    sam.run("sync", *on_stack, "--code", "--no-dependency-layer", "--resource-id", "Order", input=b"Y\n")
    assert client("curl").run("-sSf", "-H", host, f"{aws.endpoint}/Prod/orders") == "good day"

    Path("template.yaml").write_text(Path("template.yaml").read_text().replace("rate(1 day)", "rate(2 days)"))
    options = ("--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND", "--no-watch", "--no-dependency-layer")
    sam.run("sync", *on_stack, *to_bucket, *options, input=b"Y\n")
    assert [each["ScheduleExpression"] for each in aws.client("events").list_rules()["Rules"]] == ["rate(2 days)"]

    # It looks at once, and then half a minute later.
    assert "Deleted successfully" in sam.run("delete", *on_stack, "--no-prompts")
    assert aws.client("lambda").list_functions()["Functions"] == []
