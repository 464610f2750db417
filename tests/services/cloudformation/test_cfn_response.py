"""Answers of custom resources, as functions on AWS send them: by modules, and over HTTPS to no port."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cloudlet.testing.server import Server, fresh_account
from tests.services.cloudformation.deploying import Stacks
from tests.trusting import TrustingAws

_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@pytest.fixture(scope="module")
def node_runtime() -> str:
    """The runtime that the machine's Node.js serves."""
    node = shutil.which("node")
    assert node is not None, "the tests of Node.js functions need node: scripts/environment installs it"
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    return f"nodejs{version.removeprefix('v').partition('.')[0]}.x"


def _template(runtime: str, source: str) -> dict[str, Any]:
    function = {
        "Runtime": runtime,
        "Handler": "index.handler",
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Timeout": 20,
        "Code": {"ZipFile": source},
    }
    made = {"ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]}, "ServiceTimeout": 30, "Word": "said"}
    return {
        "Resources": {
            "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": _TRUST}},
            "Function": {"Type": "AWS::Lambda::Function", "Properties": function},
            "Made": {"Type": "Custom::Thing", "Properties": made},
        },
        "Outputs": {"Said": {"Value": {"Fn::GetAtt": ["Made", "Said"]}}},
    }


def _check(stacks: Stacks, runtime: str, source: str) -> None:
    stack = stacks.create("s", _template(runtime, source), Capabilities=["CAPABILITY_IAM"])
    assert stack["StackStatus"] == "CREATE_COMPLETE", stacks.events("s")
    assert stacks.outputs("s") == {"Said": "said"}
    assert stacks.delete("s")["StackStatus"] == "DELETE_COMPLETE"


_PYTHON = """
import cfnresponse

def handler(event, context):
    data = {"Said": event["ResourceProperties"]["Word"]}
    cfnresponse.send(event, context, cfnresponse.SUCCESS, data, "made")
"""


def test_python_code_in_templates_has_its_module(stacks: Stacks) -> None:
    _check(stacks, "python3.13", _PYTHON)


def test_a_failure_is_sent_by_the_module(stacks: Stacks) -> None:
    source = _PYTHON.replace("SUCCESS", "FAILED").replace('"made"', '"made", reason="not today"')
    stacks.create("s", _template("python3.13", source), Capabilities=["CAPABILITY_IAM"])
    assert any(reason.endswith("Message returned: not today") for _, _, reason in stacks.events("s"))


@pytest.mark.parametrize("how", ["", "await ", "return "])
def test_nodejs_code_in_templates_has_its_module(stacks: Stacks, node_runtime: str, how: str) -> None:
    kind = "async function" if how else "function"
    source = f"""
const response = require("cfn-response");
exports.handler = {kind} (event, context) {{
  {how}response.send(event, context, response.SUCCESS, {{ Said: event.ResourceProperties.Word }}, "made");
}};
"""
    _check(stacks, node_runtime, source)


_ANSWER = """
exports.handler = (event) => new Promise((resolve, reject) => {
  const url = require("url").parse(event.ResponseURL);
  const body = JSON.stringify({
    Status: "SUCCESS", PhysicalResourceId: "made", StackId: event.StackId, RequestId: event.RequestId,
    LogicalResourceId: event.LogicalResourceId, Data: { Said: event.ResourceProperties.Word },
  });
  const options = { method: "PUT", headers: { "content-type": "", "content-length": Buffer.byteLength(body) } };
  const answered = (response) => { response.resume(); resolve(); };
  const sent = SENT;
  sent.on("error", reject);
  sent.end(body);
});
"""


@pytest.mark.parametrize(
    ("head", "sent"),
    [
        (
            'const https = require("https");',
            "https.request({ ...options, hostname: url.hostname, port: 443, path: url.path }, answered)",
        ),
        (
            'const { request } = require("node:https");',
            "request({ ...options, hostname: url.hostname, path: url.path }, answered)",
        ),
        ('const https = require("https");', "https.request(event.ResponseURL, options, answered)"),
        (
            'const https = require("https");',
            "https.request(new URL(`https://${url.hostname}${url.path}`), options).on('response', answered)",
        ),
    ],
)
def test_what_is_sent_over_https_to_no_port_arrives(stacks: Stacks, node_runtime: str, head: str, sent: str) -> None:
    _check(stacks, node_runtime, head + _ANSWER.replace("SENT", sent))


def test_other_requests_are_left_alone(stacks: Stacks, node_runtime: str) -> None:
    # To the same host, but not to where answers go: nobody is there on the port of HTTPS.
    source = """
const https = require("https"), response = require("cfn-response");
exports.handler = (event, context) => {
  const Said = (error) => (error.code === "ECONNREFUSED" ? "said" : error.code);
  const host = new URL(event.ResponseURL).hostname;
  const sent = https.request({ host, path: "/" });
  sent.on("error", (error) => response.send(event, context, response.SUCCESS, { Said: Said(error) }, "made"));
  sent.end();
};
"""
    _check(stacks, node_runtime, source)


def test_answers_arrive_over_tls_too(tmp_path: Path, node_runtime: str) -> None:
    with Server.start("--data", str(tmp_path), "--tls") as server:
        stacks = Stacks(TrustingAws(server.endpoint, fresh_account(), data=tmp_path))
        sent = "https.request({ ...options, hostname: url.hostname, port: 443, path: url.path }, answered)"
        _check(stacks, node_runtime, 'const https = require("https");' + _ANSWER.replace("SENT", sent))
