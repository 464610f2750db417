"""Parameters have types and constraints; values come from requests, defaults, former stacks and Parameter Store."""

from __future__ import annotations

import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.cloudformation.deploying import Stacks, as_text, parameter, queue


def _template(**parameters: Any) -> dict[str, Any]:
    outputs = {name: {"Value": {"Ref": name}} for name, one in parameters.items() if "List" not in one["Type"]}
    return {"Parameters": parameters, "Resources": {"Q": queue()}, "Outputs": outputs}


def _given(**values: str) -> list[dict[str, str]]:
    return [{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()]


@pytest.mark.parametrize(
    ("declared", "value", "message"),
    [
        ({"Type": "String"}, None, "Parameters: [P] must have values"),
        ({"Type": "String", "AllowedValues": ["a"]}, "b", "Parameter 'P' must be one of AllowedValues"),
        ({"Type": "String", "MinLength": 3}, "ab", "Parameter 'P' must contain at least 3 characters"),
        ({"Type": "String", "MaxLength": "1"}, "ab", "Parameter 'P' must contain at most 1 characters"),
        ({"Type": "String", "AllowedPattern": "[a-z]+"}, "A", "Parameter 'P' must match pattern [a-z]+"),
        (
            {"Type": "String", "AllowedPattern": "[a-z]+", "ConstraintDescription": "small letters"},
            "A",
            "Parameter P failed to satisfy constraint: small letters",
        ),
        ({"Type": "Number"}, "x", "Parameter 'P' must be a number."),
        ({"Type": "Number", "MinValue": 2}, "1", "Parameter 'P' must be a number not less than 2"),
        ({"Type": "Number", "MaxValue": 2}, "3", "Parameter 'P' must be a number not greater than 2"),
        (
            {"Type": "AWS::SSM::Parameter::Value<String>"},
            "/none",
            "Unable to fetch parameters [/none] from parameter store for this account.",
        ),
    ],
)
def test_a_value_that_breaks_a_constraint_is_refused(
    stacks: Stacks, declared: dict[str, Any], value: str | None, message: str
) -> None:
    given = [] if value is None else _given(P=value)
    with pytest.raises(ClientError, match=re.escape(message)):
        stacks.client.create_stack(StackName="s", TemplateBody=as_text(_template(P=declared)), Parameters=given)


def test_a_parameter_that_is_not_declared_is_refused(stacks: Stacks) -> None:
    with pytest.raises(ClientError, match=r"Parameters: \[X\] do not exist in the template"):
        stacks.client.create_stack(
            StackName="s", TemplateBody=as_text(_template(P={"Type": "String"})), Parameters=_given(P="a", X="b")
        )


def test_values_come_from_parameter_store(stacks: Stacks) -> None:
    stacks.aws.client("ssm").put_parameter(Name="/name", Type="String", Value="found")
    template = _template(P={"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/name"})
    stack = stacks.create("s", template)
    assert stacks.outputs("s") == {"P": "found"}
    assert stack["Parameters"] == [{"ParameterKey": "P", "ParameterValue": "/name", "ResolvedValue": "found"}]


def test_a_hidden_value_is_not_shown(stacks: Stacks) -> None:
    resources = {"P1": parameter({"Fn::Sub": "of-${P}"})}
    template = {"Parameters": {"P": {"Type": "String", "NoEcho": True}}, "Resources": resources}
    stack = stacks.create("s", template, Parameters=_given(P="secret"))
    assert stack["Parameters"] == [{"ParameterKey": "P", "ParameterValue": "****"}]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    events = stacks.client.describe_stack_events(StackName="s")["StackEvents"]
    told = "".join(event.get("ResourceProperties", "") for event in events)
    assert "of-****" in told
    assert "secret" not in told


def test_an_update_can_keep_values(stacks: Stacks) -> None:
    template = _template(A={"Type": "String"}, B={"Type": "String"})
    stacks.create("s", template, Parameters=_given(A="1", B="2"))
    stacks.client.update_stack(
        StackName="s",
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": "A", "UsePreviousValue": True}, *_given(B="3")],
    )
    assert stacks.wait("s")["StackStatus"] == "UPDATE_COMPLETE"


def test_rules_are_asserted(stacks: Stacks) -> None:
    template = {
        **_template(Env={"Type": "String"}),
        "Rules": {
            "Known": {
                "Assertions": [
                    {
                        "Assert": {"Fn::Contains": [["dev", "prod"], {"Ref": "Env"}]},
                        "AssertDescription": "Env is dev or prod",
                    }
                ]
            }
        },
    }
    with pytest.raises(ClientError, match="Env is dev or prod"):
        stacks.client.create_stack(StackName="s", TemplateBody=as_text(template), Parameters=_given(Env="x"))
    assert stacks.create("s", template, Parameters=_given(Env="dev"))["StackStatus"] == "CREATE_COMPLETE"
