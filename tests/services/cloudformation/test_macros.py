"""Macros process templates by functions; AWS::Include brings in what is in a bucket."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.cloudformation.deploying import Stacks, parameter, queue

_CODE = """
def handler(event, context):
    fragment, params = event["fragment"], event["params"]
    answer = {"requestId": event["requestId"], "status": "success", "fragment": fragment}
    if params.get("Fail"):
        answer |= {"status": "failure", "errorMessage": params["Fail"]}
    elif params.get("Mute"):
        answer["status"] = "no"
    elif params.get("Broken"):
        del answer["requestId"]
    elif params.get("Raise"):
        raise ValueError
    elif "Resources" in fragment:
        fragment["Resources"]["Added"] = {
            "Type": "AWS::SSM::Parameter",
            "Properties": {"Type": "String", "Value": event["templateParameterValues"].get("Word", "none")},
        }
        fragment["Outputs"] = {"Transform": {"Value": event["transformId"]}, "Keys": {"Value": ",".join(params)},
                               "Given": {"Value": str(params.get("Given"))}}
    elif "Text" in params:
        answer["fragment"] = str(params["Text"]).upper()
    else:
        answer["fragment"] = {key: value for key, value in fragment.items()} | {"DelaySeconds": params["Delay"]}
    return answer
"""
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
_MACRO = {
    "Resources": {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": _TRUST}},
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": "python3.13",
                "Handler": "index.handler",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"ZipFile": _CODE},
            },
        },
        "Macro": {
            "Type": "AWS::CloudFormation::Macro",
            "Properties": {"Name": "Change", "FunctionName": {"Fn::GetAtt": ["Function", "Arn"]}},
        },
    }
}
_EXPAND = ["CAPABILITY_AUTO_EXPAND"]


@pytest.fixture
def macro(stacks: Stacks) -> Stacks:
    """An account with a macro."""
    stack = stacks.create("macro", _MACRO, Capabilities=["CAPABILITY_IAM"])
    assert stack["StackStatus"] == "CREATE_COMPLETE", stacks.events("macro")
    assert stacks.physical_id("macro", "Macro") == "Change"
    return stacks


def test_a_macro_processes_a_whole_template(macro: Stacks) -> None:
    template = {
        "Transform": [{"Name": "Change", "Parameters": {"Given": {"Ref": "Word"}}}],
        "Parameters": {"Word": {"Type": "String", "Default": "said"}},
        "Resources": {"Q": queue()},
    }
    assert macro.create("s", template, Capabilities=_EXPAND)["StackStatus"] == "CREATE_COMPLETE", macro.events("s")
    name = f"{macro.aws.account}::Change"
    assert macro.outputs("s") == {"Transform": name, "Keys": "Given", "Given": "said"}
    value = macro.aws.client("ssm").get_parameter(Name=macro.physical_id("s", "Added"))["Parameter"]["Value"]
    assert value == "said"

    processed = macro.client.get_template(StackName="s", TemplateStage="Processed")
    assert set(processed["TemplateBody"]["Resources"]) == {"Q", "Added"}
    assert "Transform" not in processed["TemplateBody"]
    assert set(macro.client.get_template(StackName="s")["TemplateBody"]["Resources"]) == {"Q"}


def test_a_macro_processes_a_part(macro: Stacks) -> None:
    changed = {"MessageRetentionPeriod": 100, "Fn::Transform": {"Name": "Change", "Parameters": {"Delay": 7}}}
    text = {"Fn::Transform": {"Name": "Change", "Parameters": {"Text": "loud"}}}
    template = {"Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": changed}, "P": parameter(text)}}
    assert macro.create("s", template, Capabilities=_EXPAND)["StackStatus"] == "CREATE_COMPLETE", macro.events("s")
    properties = macro.client.get_template(StackName="s", TemplateStage="Processed")["TemplateBody"]["Resources"]
    assert properties["Q"]["Properties"] == {"MessageRetentionPeriod": 100, "DelaySeconds": 7}
    assert properties["P"]["Properties"]["Value"] == "LOUD"


def test_macros_need_a_capability_unless_there_is_a_change_set(macro: Stacks) -> None:
    template = json.dumps({"Transform": "Change", "Resources": {"Q": queue()}})
    with pytest.raises(ClientError, match=r"Requires capabilities : \[CAPABILITY_AUTO_EXPAND\]"):
        macro.client.create_stack(StackName="s", TemplateBody=template)
    macro.client.create_change_set(StackName="s", ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=template)
    found = macro.client.describe_change_set(StackName="s", ChangeSetName="c")
    assert {one["ResourceChange"]["LogicalResourceId"] for one in found["Changes"]} == {"Added", "Q"}
    shown = macro.client.get_template_summary(TemplateBody=template)
    assert shown["DeclaredTransforms"] == ["Change"]
    assert shown["Capabilities"] == _EXPAND


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"Fail": "it is Monday"}, "Transform {name} failed with: it is Monday"),
        ({"Mute": "yes"}, "Transform {name} failed without an error message."),
        ({"Broken": "yes"}, "Received malformed response from transform {name}"),
        ({"Raise": "yes"}, "Received malformed response from transform {name}"),
    ],
)
def test_a_macro_that_fails_fails_the_operation(macro: Stacks, given: dict[str, Any], reason: str) -> None:
    reason = reason.format(name=f"{macro.aws.account}::Change")
    failing = {"Transform": {"Name": "Change", "Parameters": given}, "Resources": {"Q": queue()}}
    assert macro.create("new", failing, Capabilities=_EXPAND)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert any(text.startswith(reason) for _, status, text in macro.events("new") if status == "ROLLBACK_IN_PROGRESS")

    macro.create("s", {"Resources": {"Q": queue()}})
    assert macro.update("s", failing, Capabilities=_EXPAND)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    options = {"StackName": "s", "ChangeSetName": "c", "TemplateBody": json.dumps(failing)}
    macro.client.create_change_set(**options)
    found = macro.client.describe_change_set(StackName="s", ChangeSetName="c")
    assert (found["Status"], found["ExecutionStatus"], found["StatusReason"]) == ("FAILED", "UNAVAILABLE", reason)


def test_a_macro_goes_with_its_stack(macro: Stacks) -> None:
    again = {"Type": "AWS::CloudFormation::Macro", "Properties": {"Name": "Change", "FunctionName": "f"}}
    unchecked = {"DisableValidation": True}
    assert macro.create("other", {"Resources": {"M": again}}, **unchecked)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert any("with identifier 'Change' already exists" in reason for _, _, reason in macro.events("other"))
    macro.delete("macro")
    gone = {"Transform": "Change", "Resources": {"Q": queue()}}
    assert macro.create("s", gone, Capabilities=_EXPAND)["StackStatus"] == "ROLLBACK_COMPLETE"
    reason = f"No transform named {macro.aws.account}::Change found."
    assert any(text.startswith(reason) for _, _, text in macro.events("s"))


def _put(stacks: Stacks, text: str) -> str:
    s3, bucket = stacks.aws.client("s3"), f"parts-{stacks.aws.account}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="part.yaml", Body=text)
    return f"s3://{bucket}/part.yaml"


def test_a_snippet_is_included_beside_what_is_there(stacks: Stacks) -> None:
    location = _put(stacks, "DelaySeconds: 5\n")
    include = {"Name": "AWS::Include", "Parameters": {"Location": {"Ref": "Where"}}}
    properties = {"MessageRetentionPeriod": 90, "Fn::Transform": include}
    template = {
        "Parameters": {"Where": {"Type": "String"}},
        "Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": properties}},
    }
    given = [{"ParameterKey": "Where", "ParameterValue": location}]
    stacks.create("s", template, Parameters=given, Capabilities=_EXPAND)
    processed = stacks.client.get_template(StackName="s", TemplateStage="Processed")["TemplateBody"]
    assert processed["Resources"]["Q"]["Properties"] == {"MessageRetentionPeriod": 90, "DelaySeconds": 5}


def test_a_snippet_is_not_included_in_a_text(macro: Stacks) -> None:
    text = {"Name": "Change", "Parameters": {"Text": "loud"}}
    include = {"Name": "AWS::Include", "Parameters": {"Location": _put(macro, "a: 1")}}
    template = {"Resources": {"P": parameter({"Fn::Transform": [text, include]})}}
    macro.create("s", template, Capabilities=_EXPAND)
    assert any("AWS::Include failed with: it has to stand in an object" in reason for _, _, reason in macro.events("s"))


def test_a_snippet_is_included_in_a_whole_template(stacks: Stacks) -> None:
    location = _put(stacks, json.dumps({"Outputs": {"Of": {"Value": {"Fn::GetAtt": ["Q", "QueueName"]}}}}))
    transform = {"Name": "AWS::Include", "Parameters": {"Location": location}}
    template = {"Transform": transform, "Resources": {"Q": queue(QueueName="named")}}
    stacks.create("s", template, Capabilities=_EXPAND)
    assert stacks.outputs("s") == {"Of": "named"}


@pytest.mark.parametrize(
    ("text", "location", "reason"),
    [
        ("a: !Ref b", None, "short forms of functions are not supported in snippets."),
        ("a: 1", "https://nowhere", "The location parameter is not a valid S3 uri."),
        ("a: 1", "s3://{bucket}/missing", "S3 error: The specified key does not exist."),
    ],
)
def test_a_snippet_that_cannot_be_included_fails(stacks: Stacks, text: str, location: str | None, reason: str) -> None:
    found = _put(stacks, text)
    location = location and location.format(bucket=found.split("/")[2])
    transform = {"Name": "AWS::Include", "Parameters": {"Location": location or found}}
    stacks.create("s", {"Transform": transform, "Resources": {"Q": queue()}}, Capabilities=_EXPAND)
    assert any(f"Transform AWS::Include failed with: {reason}" in text for _, _, text in stacks.events("s"))
