"""The resources of requests, by the patterns of AWS's reference."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from cloudlet.core.authorization import catalog, targets
from cloudlet.wire import load

ACCOUNT = "111122223333"
LOGS = f"arn:aws:logs:eu-west-1:{ACCOUNT}"
HERE: Any = SimpleNamespace(region="eu-west-1", account=ACCOUNT)


def _list(model: str, operation: str, **params: Any) -> list[list[str]]:
    return targets.list_resources(catalog.find(model, operation), HERE, load(model).operations[operation], params)


@pytest.mark.parametrize(
    ("model", "operation", "params", "arns"),
    [
        (
            "sns",
            "GetTopicAttributes",
            {"TopicArn": "arn:aws:sns:eu-west-1:444455556666:t"},
            ["arn:aws:sns:eu-west-1:444455556666:t"],
        ),
        ("sqs", "ListQueues", {}, ["*"]),
        ("events", "DescribeArchive", {"ArchiveName": "a"}, [f"arn:aws:events:eu-west-1:{ACCOUNT}:archive/a"]),
        ("ecs", "ListTasks", {}, [f"arn:aws:ecs:eu-west-1:{ACCOUNT}:container-instance/default/*"]),
        ("ssm", "GetParameter", {"Name": "/app/key"}, [f"arn:aws:ssm:eu-west-1:{ACCOUNT}:parameter/app/key"]),
        (
            "ssm",
            "GetParameters",
            {"Names": ["/a", "b"]},
            [f"arn:aws:ssm:eu-west-1:{ACCOUNT}:parameter/{name}" for name in "ab"],
        ),
        (
            "apigateway",
            "CreateDeployment",
            {"restApiId": "a1"},
            ["arn:aws:apigateway:eu-west-1::/restapis/a1/deployments"],
        ),
        ("apigatewayv2", "GetApi", {"ApiId": "a1"}, ["arn:aws:apigateway:eu-west-1::/apis/a1"]),
        ("apigateway", "GetRestApis", {}, ["arn:aws:apigateway:eu-west-1::/restapis"]),
        ("logs", "DeleteLogGroup", {"logGroupName": "g"}, [f"{LOGS}:log-group:g:log-stream:"]),
        ("logs", "DescribeLogGroups", {"logGroupNamePrefix": "g"}, [f"{LOGS}:log-group::log-stream:"]),
        ("logs", "DescribeMetricFilters", {}, [f"{LOGS}:log-group::log-stream:"]),
        (
            "logs",
            "StartLiveTail",
            {"logGroupIdentifiers": [f"{LOGS}:log-group:g:*", f"{LOGS}:log-group:h"]},
            [f"{LOGS}:log-group:{name}:log-stream:" for name in "gh"],
        ),
        (
            "logs",
            "GetLogEvents",
            {"logGroupIdentifier": f"{LOGS}:log-group:g", "logStreamName": "s"},
            [f"{LOGS}:log-group:g:log-stream:s"],
        ),
        ("logs", "TagResource", {"resourceArn": f"{LOGS}:log-group:g"}, [f"{LOGS}:log-group:g"]),
        ("cloudwatch", "GetDashboard", {"DashboardName": "d"}, [f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/d"]),
    ],
)
def test_a_request_is_about_resources(model: str, operation: str, params: dict[str, Any], arns: list[str]) -> None:
    assert _list(model, operation, **params)[0] == arns


def test_an_operation_may_be_about_resources_of_several_types() -> None:
    rule = catalog.find("events", "EnableRule")
    assert rule.any_of
    assert _list("events", "EnableRule", Name="r") == [
        [f"arn:aws:events:eu-west-1:{ACCOUNT}:rule/default/r"],
        [f"arn:aws:events:eu-west-1:{ACCOUNT}:rule/r"],
    ]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("Role", ["r"]),
        ("Targets[].RoleArn", ["a", "b"]),
        ("Attributes.{Success,Failure}FeedbackRoleArn", ["s"]),
        ("**.RoleArn", ["a", "b", "deep"]),
        ("Tables{}", ["t1", "t2"]),
        ("Value when Name is *RoleArn", ["v"]),
        ("Value when Name is *Policy", []),
        ("Value when Name is *Policy or missing", []),
        ("Value when Missing is *Policy or missing", ["v"]),
        ("Missing.Part", []),
        ("Name is SuccessFeedbackRoleArn", ["SuccessFeedbackRoleArn"]),
        ("Name is Other", []),
        ("=host", []),
        ("store: TaskHandle", []),
    ],
)
def test_members_are_found_by_paths(path: str, found: list[str]) -> None:
    params = {
        "Role": "r",
        "Targets": [{"RoleArn": "a"}, {"RoleArn": "b"}, {"Arn": "c"}],
        "Attributes": {"SuccessFeedbackRoleArn": "s", "SuccessFeedbackSampleRate": "1"},
        "Inner": {"List": [{"RoleArn": "deep"}]},
        "Tables": {"t1": {}, "t2": {}},
        "Name": "SuccessFeedbackRoleArn",
        "Value": "v",
    }
    assert targets.read(params, path) == found


def test_a_condition_may_want_a_value() -> None:
    params = {"unmask": True, "policyType": "A", "patchOperations": [{"path": "/name"}, {"path": "/policy"}]}
    for path in ("unmask is True", "policyType is A", "patchOperations[].path is /policy", "policyType"):
        assert targets.is_given(params, path)
    for path in ("unmask is False", "policyType is B", "patchOperations[].path is /other", "absent is A", "absent"):
        assert not targets.is_given(params, path)


def test_every_path_of_the_data_is_one_that_is_understood() -> None:
    for file in sorted((catalog.files(catalog.__package__) / "actions").iterdir(), key=str):
        model = file.name.removesuffix(".json")
        service = catalog._load(model)
        assert service is not None
        for rule in service.operations.values():
            for path in (*rule.vars.values(), *rule.pass_role):
                targets.read({}, path)
