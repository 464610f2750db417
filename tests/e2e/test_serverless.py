"""The Serverless Framework 3 and osls, its continuation: one application by either."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cloudlet.testing.server import Aws
from tests.e2e.client import DEPLOYING, INSTALLED, Client, installed_module
from tests.e2e.conftest import MakeClient
from tests.standing import eventually

SETTINGS = {
    "SLS_AWS_MONITORING_FREQUENCY": "300",
    "SLS_NOTIFICATIONS_MODE": "off",
    "SLS_TELEMETRY_DISABLED": "1",
}
"""The first is how often it looks how far a stack is, in milliseconds."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(DEPLOYING / "serverless", tmp_path / "shop")
    monkeypatch.chdir(tmp_path / "shop")
    return tmp_path / "shop"


@pytest.mark.parametrize("tool", ["osls", "serverless"])
def test_an_application_from_its_deployment_to_its_end(tool: str, folder: Path, client: MakeClient, aws: Aws) -> None:
    if tool == "serverless":
        text = (folder / "serverless.yml").read_text()
        (folder / "serverless.yml").write_text(f"plugins: [./endpoint.js]\n{text}")
    program = installed_module(f"{tool}/bin/serverless.js")
    node: Client = client(str(INSTALLED / "node"), **SETTINGS)

    def run(*arguments: str) -> str:
        done = node.attempt(program, *arguments)
        said = (done.stdout + done.stderr).decode()
        assert done.returncode == 0, said
        return said

    assert "Service deployed" in run("deploy")
    told = run("info")
    assert "order: shop-dev-order" in told
    for url in (line.split(" - https://")[1] for line in told.splitlines() if " - https://" in line):
        host, path = url.split("/", 1)
        assert client("curl").run("-sSf", "-H", f"Host: {host}", f"{aws.endpoint}/{path}") == "hello"
    assert '"body": "hello"' in run("invoke", "--function", "order", "--data", '{"path": "/invoked"}')
    eventually(lambda: "asked for /invoked" in run("logs", "--function", "order"))

    source = folder / "app.py"
    source.write_text(source.read_text().replace('"hello"', '"good day"'))
    run("deploy", "function", "--function", "order")
    assert '"body": "good day"' in run("invoke", "--function", "order")

    assert "successfully removed" in run("remove")
    assert aws.client("lambda").list_functions()["Functions"] == []
    assert aws.client("s3").list_buckets()["Buckets"] == []
