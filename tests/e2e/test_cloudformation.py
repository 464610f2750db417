"""Stacks, deployed as people do: by the AWS CLI, with local files packaged into a bucket."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from cloudlet.testing.server import Aws
from tests.e2e.client import Client
from tests.e2e.conftest import MakeClient

_TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Parameters: {Word: {Type: String}}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}]
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.13
      Handler: said.handler
      Role: !GetAtt Role.Arn
      Code: ./code
      Environment: {Variables: {WORD: !Ref Word}}
Outputs: {Name: {Value: !Ref Function}}
"""
_CODE = "import os\n\ndef handler(event, context):\n    return os.environ['WORD']\n"


@pytest.fixture
def cli(client: MakeClient) -> Client:
    return client("aws")


def test_a_template_is_packaged_deployed_changed_and_deleted(
    cli: Client, aws: Aws, bucket: str, tmp_path: Path
) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code/said.py").write_text(_CODE)
    template, packaged = tmp_path / "template.yaml", tmp_path / "packaged.yaml"
    template.write_text(_TEMPLATE)
    package = ("cloudformation", "package", "--template-file", template, "--s3-bucket", bucket)
    cli.run(*package, "--output-template-file", packaged)
    deploy = ("cloudformation", "deploy", "--template-file", packaged, "--stack-name", "app")
    options = ("--capabilities", "CAPABILITY_IAM", "--tags", "team=a")

    said = cli.run(*deploy, *options, "--parameter-overrides", "Word=first")
    assert "Successfully created/updated stack - app" in said
    assert _invoke(cli, aws) == "first"
    _await_next_second()
    assert "No changes to deploy" in cli.run(*deploy, *options, "--no-fail-on-empty-changeset")
    _await_next_second()
    cli.run(*deploy, *options, "--parameter-overrides", "Word=second")
    assert _invoke(cli, aws) == "second"

    cli.run("cloudformation", "delete-stack", "--stack-name", "app")
    cli.run("cloudformation", "wait", "stack-delete-complete", "--stack-name", "app")
    assert aws.client("lambda").list_functions()["Functions"] == []


def _await_next_second() -> None:
    """Wait until the CLI would name a change set otherwise: by the second in which it deploys."""
    started = int(time.time())
    while int(time.time()) == started:
        time.sleep(0.01)


def _invoke(cli: Client, aws: Aws) -> str:
    """Return what the function of the stack says."""
    query = ("--query", "Stacks[0].Outputs[0].OutputValue", "--output", "text")
    name = cli.run("cloudformation", "describe-stacks", "--stack-name", "app", *query).strip()
    answer: str = json.loads(aws.client("lambda").invoke(FunctionName=name)["Payload"].read())
    return answer
