"""The transform of AWS SAM, by AWS's own translator."""

from __future__ import annotations

import urllib.request

import pytest
from botocore.exceptions import ClientError

from tests.services.cloudformation.deploying import Stacks

_TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: python3.13, Timeout: 10}}
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      Handler: index.handler
      InlineCode: |
        def handler(event, context):
            return {"statusCode": 200, "body": "hello from " + event["rawPath"]}
      Policies: [AWSLambdaBasicExecutionRole, {SQSSendMessagePolicy: {QueueName: !GetAtt Jobs.QueueName}}]
      Events:
        Get: {Type: HttpApi, Properties: {Path: /hello, Method: get}}
        Job: {Type: SQS, Properties: {Queue: !GetAtt Jobs.Arn, BatchSize: 1}}
  Jobs: {Type: AWS::SQS::Queue}
  Items: {Type: AWS::Serverless::SimpleTable}
Outputs:
  Url: {Value: !Sub "${ServerlessHttpApi.ApiEndpoint}/hello"}
  Api: {Value: !Ref ServerlessHttpApi}
"""
_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]


def test_a_serverless_application_is_deployed(stacks: Stacks) -> None:
    stack = stacks.create("app", _TEMPLATE, Capabilities=_CAPABILITIES)
    assert stack["StackStatus"] == "CREATE_COMPLETE", stacks.events("app")
    api = stacks.outputs("app")["Api"]
    with urllib.request.urlopen(f"{stacks.aws.endpoint}/_aws/execute-api/{api}/hello") as answer:
        assert answer.read() == b"hello from /hello"
    kinds = {
        one["ResourceType"] for one in stacks.client.list_stack_resources(StackName="app")["StackResourceSummaries"]
    }
    assert {"AWS::DynamoDB::Table", "AWS::Lambda::EventSourceMapping", "AWS::IAM::Role"} <= kinds
    assert stacks.delete("app")["StackStatus"] == "DELETE_COMPLETE"


def test_a_transform_needs_its_capability(stacks: Stacks) -> None:
    with pytest.raises(ClientError, match=r"Requires capabilities : \[CAPABILITY_AUTO_EXPAND\]"):
        stacks.client.create_stack(StackName="s", TemplateBody=_TEMPLATE, Capabilities=["CAPABILITY_IAM"])
    # A change set shows what it makes.
    options = {"ChangeSetName": "c", "ChangeSetType": "CREATE", "Capabilities": ["CAPABILITY_IAM"]}
    stacks.client.create_change_set(StackName="s", TemplateBody=_TEMPLATE, **options)


def test_a_wrong_application_fails_the_stack(stacks: Stacks) -> None:
    wrong = _TEMPLATE.replace("Handler: index.handler", "Handler: [1]").replace("Type: SQS", "Type: Nothing")
    assert stacks.create("s", wrong, Capabilities=_CAPABILITIES)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert any("Invalid Serverless Application Specification document" in reason for _, _, reason in stacks.events("s"))
