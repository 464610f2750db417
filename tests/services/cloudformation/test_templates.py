"""Templates that are wrong are refused before anything is made, in AWS's words; right ones are read in all forms."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from botocore.exceptions import ClientError

from tests.services.cloudformation.deploying import Stacks, as_text, parameter, queue

QUEUE = {"Queue": queue()}


def _with_value(value: Any, **sections: Any) -> dict[str, Any]:
    return {"Resources": QUEUE, "Outputs": {"Out": {"Value": value}}, **sections}


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("", "Template format error: unsupported structure."),
        ("[1]", "Template format error: unsupported structure."),
        ('{"Resources": }', "Template format error: JSON not well-formed. (line 1, column 15)"),
        ("Resources:\n  A: [", "Template format error: YAML not well-formed. (line "),
        ({"Resources": {}}, "Template format error: At least one Resources member must be defined."),
        ({"Resources": QUEUE, "Foo": {}}, "Invalid template property or properties [Foo]"),
        (
            {"Resources": {"A": {"Properties": {}}}},
            "Template format error: [/Resources/A] Every Resources object must contain a Type member.",
        ),
        (
            {"Resources": {"A": {"Type": "AWS::Foo::Bar"}, "B": {"Type": "AWS::Foo::Baz"}}},
            "Template format error: Unrecognized resource types: [AWS::Foo::Bar, AWS::Foo::Baz]",
        ),
        (
            {"Resources": {"a-b": queue()}},
            "Template format error: Resource name a-b is non alphanumeric.",
        ),
        (
            {"Resources": {"A": queue(QueueName=None)}},
            "Template format error: [/Resources/A/Properties/QueueName] 'null' values are not allowed in templates",
        ),
        (
            {"Resources": {"A": queue(QueueName={"Ref": "Nothing"})}},
            "Template format error: Unresolved resource dependencies [Nothing] in the Resources block of the template",
        ),
        (
            _with_value({"Fn::Sub": "${Nothing}"}),
            "Template format error: Unresolved resource dependencies [Nothing] in the Outputs block of the template",
        ),
        (
            {"Resources": {"A": {**queue(), "DependsOn": "Nothing"}}},
            "Template format error: Unresolved resource dependencies [Nothing] in the Resources block of the template",
        ),
        (
            _with_value({"Fn::GetAtt": ["Nothing", "Arn"]}),
            "Template error: instance of Fn::GetAtt references undefined resource Nothing",
        ),
        (
            _with_value({"Fn::GetAtt": ["Queue"]}),
            "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the "
            "resource attribute",
        ),
        (
            {"Resources": {"A": {**queue(), "DependsOn": "B"}, "B": {**queue(), "DependsOn": "A"}}},
            "Circular dependency between resources: [A, B]",
        ),
        (
            _with_value({"Fn::FindInMap": ["M", "a", "c"]}, Mappings={"M": {"a": {"b": "x"}}}),
            "Template error: Unable to get mapping for M::a::c",
        ),
        (
            _with_value({"Fn::Select": [5, ["a"]]}),
            "Template error: Fn::Select cannot select nonexistent value at index 5",
        ),
        (
            _with_value({"Fn::Join": ["-"]}),
            "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of "
            "strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined.",
        ),
        (
            {"Resources": {"A": {**queue(), "Condition": "No"}}},
            "Template format error: Unrecognized condition No in the Resources block of the template",
        ),
        (
            {"Resources": QUEUE, "Conditions": {"A": {"Condition": "B"}}},
            "Template format error: Unresolved condition dependency B in the Conditions block of the template",
        ),
        (
            {"Resources": QUEUE, "Parameters": {"P": {}}},
            "Template format error: Every Parameters object must contain a Type member.",
        ),
        (
            {"Resources": QUEUE, "Parameters": {"P": {"Type": "Foo"}}},
            "Template format error: Unrecognized parameter type: Foo",
        ),
        (
            {"Resources": {"A": {**queue(), "DeletionPolicy": "Keep"}}},
            "Template format error: Unrecognized DeletionPolicy Keep for resource A",
        ),
        (
            {"Resources": QUEUE, "AWSTemplateFormatVersion": "2011-01-01"},
            'Template format error: unsupported value for AWSTemplateFormatVersion "2011-01-01".',
        ),
        (
            _with_value({"Fn::Length": [1]}),
            "Template error: unsupported function Fn::Length: it needs the transform AWS::LanguageExtensions",
        ),
    ],
)
def test_a_wrong_template_is_refused(stacks: Stacks, template: Any, message: str) -> None:
    text = as_text(template) or " "
    with pytest.raises(ClientError, match=re.escape(message)) as raised:
        stacks.client.create_stack(StackName="s", TemplateBody=text)
    assert raised.value.response["Error"]["Code"] == "ValidationError"
    assert stacks.client.list_stacks()["StackSummaries"] == []


def test_yaml_has_short_forms_of_all_functions(stacks: Stacks) -> None:
    template = """
AWSTemplateFormatVersion: 2010-09-09
Description: All short forms
Parameters:
  Env: {Type: String, Default: prod}
  Names: {Type: CommaDelimitedList, Default: "a,b,c"}
Mappings:
  Sizes: {prod: {size: big}}
Conditions:
  IsProd: !Equals [!Ref Env, prod]
  IsNot: !Not [!Condition IsProd]
  Both: !And [!Condition IsProd, !Equals [a, a]]
  Either: !Or [!Condition IsNot, !Condition Both]
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Condition: Either
    Properties:
      DelaySeconds: !If [IsProd, 7, !Ref AWS::NoValue]
  Absent:
    Type: AWS::SQS::Queue
    Condition: IsNot
Outputs:
  Sub: {Value: !Sub "${Env}-${!Literal}-${Queue.Arn}"}
  SubMap: {Value: !Sub ["${X}/${AWS::Region}", {X: !Select [1, !Ref Names]}]}
  Join: {Value: !Join [":", !Split ["-", "x-y-z"]]}
  Map: {Value: !FindInMap [Sizes, !Ref Env, size]}
  Base: {Value: !Base64 hello}
  Cidr: {Value: !Join [",", !Cidr [10.0.0.0/16, 2, 8]]}
  Zones: {Value: !Join [",", !GetAZs ""]}
  Att: {Value: !GetAtt Queue.QueueName}
  Absent: {Value: x, Condition: IsNot}
  Account: {Value: 012345678901}
"""
    stack = stacks.create("forms", template)
    assert stack["Description"] == "All short forms"
    outputs = stacks.outputs("forms")
    name = stacks.queues()[0]
    arn = f"arn:aws:sqs:us-east-1:{stacks.aws.account}:{name}"
    assert outputs == {
        "Sub": f"prod-${{Literal}}-{arn}",
        "SubMap": "b/us-east-1",
        "Join": "x:y:z",
        "Map": "big",
        "Base": "aGVsbG8=",
        "Cidr": "10.0.0.0/24,10.0.1.0/24",
        "Zones": "us-east-1a,us-east-1b,us-east-1c",
        "Att": name,
        "Account": "012345678901",
    }
    assert len(stacks.queues()) == 1


def test_language_extensions_loop_and_count(stacks: Stacks) -> None:
    template = {
        "Transform": "AWS::LanguageExtensions",
        "Parameters": {"Names": {"Type": "CommaDelimitedList", "Default": "one,two"}},
        "Mappings": {"M": {"a": {"b": "x"}}},
        "Resources": {
            "Fn::ForEach::Queues": [
                "Name",
                {"Ref": "Names"},
                {"Queue${Name}": queue(QueueName={"Fn::Sub": "q-${Name}"})},
            ]
        },
        "Outputs": {
            "Count": {"Value": {"Fn::Length": {"Ref": "Names"}}},
            "Json": {"Value": {"Fn::ToJsonString": {"a": {"Ref": "AWS::Region"}}}},
            "Default": {"Value": {"Fn::FindInMap": ["M", "no", "b", {"DefaultValue": "fallback"}]}},
        },
    }
    stacks.create("loops", template)
    assert sorted(stacks.queues()) == ["q-one", "q-two"]
    assert stacks.outputs("loops") == {"Count": "2", "Json": '{"a":"us-east-1"}', "Default": "fallback"}
    processed = stacks.client.get_template(StackName="loops", TemplateStage="Processed")["TemplateBody"]
    assert set(processed["Resources"]) == {"Queueone", "Queuetwo"}


def test_dynamic_references_are_looked_up_when_a_resource_is_made(stacks: Stacks) -> None:
    aws = stacks.aws
    aws.client("ssm").put_parameter(Name="/delay", Type="String", Value="9")
    secret = {"user": "u", "password": "p"}
    aws.client("secretsmanager").create_secret(Name="db", SecretString=json.dumps(secret))
    template = {
        "Resources": {
            "Queue": queue(DelaySeconds="{{resolve:ssm:/delay}}"),
            "P": parameter("{{resolve:secretsmanager:db:SecretString:user}}/{{resolve:ssm:/delay:1}}"),
        }
    }
    stack = stacks.create("refs", template)
    assert stack["StackStatus"] == "CREATE_COMPLETE", stacks.events("refs")
    name = stacks.physical_id("refs", "P")
    assert aws.client("ssm").get_parameter(Name=name)["Parameter"]["Value"] == "u/9"


def test_a_template_comes_from_a_bucket(stacks: Stacks) -> None:
    s3 = stacks.aws.client("s3")
    bucket = f"templates-{stacks.aws.account}"
    s3.create_bucket(Bucket=bucket)
    # S3 keeps what is larger in a file.
    padding = {"Padding": "x" * 200_000}
    s3.put_object(Bucket=bucket, Key="a/t.json", Body=as_text({"Metadata": padding, "Resources": QUEUE}))
    url = f"https://{bucket}.s3.us-east-1.amazonaws.com/a/t.json"
    stacks.client.create_stack(StackName="s", TemplateURL=url)
    assert stacks.wait("s")["StackStatus"] == "CREATE_COMPLETE"
    with pytest.raises(ClientError, match="S3 error"):
        stacks.client.create_stack(StackName="t", TemplateURL=f"{url}.none")


def test_a_template_is_summarised(stacks: Stacks) -> None:
    template = {
        "Description": "d",
        "Parameters": {"P": {"Type": "String", "Default": "x", "NoEcho": True}},
        "Resources": {"R": {"Type": "AWS::IAM::Group"}, "Q": queue()},
    }
    found = stacks.client.get_template_summary(TemplateBody=as_text(template))
    assert found["ResourceTypes"] == ["AWS::IAM::Group", "AWS::SQS::Queue"]
    assert found["Capabilities"] == ["CAPABILITY_IAM"]
    assert [one["ParameterKey"] for one in found["Parameters"]] == ["P"]
    validated = stacks.client.validate_template(TemplateBody=as_text(template))
    assert validated["Description"] == "d"
    assert validated["Parameters"][0]["NoEcho"] is True


def test_iam_resources_need_capabilities(stacks: Stacks) -> None:
    with pytest.raises(ClientError, match=r"Requires capabilities : \[CAPABILITY_IAM\]") as raised:
        stacks.client.create_stack(
            StackName="s", TemplateBody=as_text({"Resources": {"G": {"Type": "AWS::IAM::Group"}}})
        )
    assert raised.value.response["Error"]["Code"] == "InsufficientCapabilitiesException"
    named = {"Resources": {"G": {"Type": "AWS::IAM::Group", "Properties": {"GroupName": "g"}}}}
    with pytest.raises(ClientError, match=r"Requires capabilities : \[CAPABILITY_NAMED_IAM\]"):
        stacks.client.create_stack(StackName="s", TemplateBody=as_text(named), Capabilities=["CAPABILITY_IAM"])


def test_a_cost_is_estimated_as_nothing(stacks: Stacks) -> None:
    template = {
        "Parameters": {"Delay": {"Type": "Number"}},
        "Resources": {
            "A": queue(DelaySeconds={"Ref": "Delay"}),
            "B": queue(),
            "Role": {"Type": "AWS::IAM::User"},
            "Odd": {"Type": "Custom::A", "Properties": {"ServiceToken": "t"}},
        },
    }
    with pytest.raises(ClientError, match=r"Parameters: \[Delay\] must have values"):
        stacks.client.estimate_template_cost(TemplateBody=as_text(template))
    given = [{"ParameterKey": "Delay", "ParameterValue": "5"}]
    both = {"TemplateBody": as_text(template), "TemplateURL": "https://is-not-read"}
    url = stacks.client.estimate_template_cost(**both, Parameters=given)["Url"]
    assert url.endswith("/_cloudlet/cloudformation/costs/?AWS::IAM::User=1&AWS::SQS::Queue=2&Custom::A=1")
    with urlopen(url) as answer:
        page = answer.read().decode()
    assert "cost nothing" in page
    assert "<td>AWS::SQS::Queue</td><td>2</td>" in page
    with pytest.raises(HTTPError, match="404"):
        urlopen(url.replace("Queue", "None").partition("?")[0])
    with urlopen(f"{url}&Custom::%3Cscript%3E=1") as answer:
        assert "<script>" not in answer.read().decode()
