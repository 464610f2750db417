"""Zappa, which runs a WSGI application as a function.

It puts a function URL in front of it, and schedules, by AWS's API. For REST APIs it takes CloudFormation.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

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


@pytest.fixture
def zappa(client: MakeClient, tmp_path: Path, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Client:
    """The program, in the application's folder."""
    stage = {
        "app_function": "app.app",
        "aws_region": aws.region,
        "project_name": "shop",
        "runtime": python_runtime(),
        "s3_bucket": f"zappa-{aws.account}",
        "apigateway_enabled": False,
        "function_url_enabled": True,
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


def test_an_application_from_its_first_deployment_to_its_end(zappa: Client, client: MakeClient, aws: Aws) -> None:
    assert "Deployment complete" in zappa.run("deploy", "dev")
    status = json.loads(zappa.run("status", "dev", "--json"))
    assert [each["Event Rule Schedule"] for each in status["Events"]] == ["rate(5 minutes)"]
    curl = client("curl")
    url = status["Function URL"] + "orders/7?tag=a"
    posted = ("-H", "Content-Type: application/json", "-d", '{"of": "ein Stück"}')
    assert json.loads(curl.run("-sSf", *posted, url)) == {
        "greeting": "hello",
        "number": "7",
        "body": {"of": "ein Stück"},
        "query": {"tag": "a"},
    }
    assert "counted" in zappa.run("invoke", "dev", "app.count")

    Path("app.py").write_text(APP.replace('"hello"', '"good day"'))
    assert "is live" in zappa.run("update", "dev")
    assert json.loads(curl.run("-sSf", url))["greeting"] == "good day"
    zappa.run("rollback", "dev", "-n", "1")
    eventually(lambda: json.loads(curl.run("-sSf", url))["greeting"] == "hello")

    zappa.run("undeploy", "dev", "--yes", "--remove-logs")
    assert aws.client("lambda").list_functions()["Functions"] == []
    assert aws.client("events").list_rules()["Rules"] == []
