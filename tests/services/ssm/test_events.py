"""Events of parameters on EventBridge."""

from __future__ import annotations

import pytest

from tests.services.ssm.cloud import SsmCloud


def test_changes_are_told_of(cloud: SsmCloud) -> None:
    url = cloud.told("Parameter Store Change")
    cloud.put("/a", Description="d")
    cloud.update("/a")
    cloud.ssm.label_parameter_version(Name="/a", Labels=["x"])
    cloud.ssm.delete_parameter(Name="/a")
    events = cloud.bodies(url, 4)
    assert {event["source"] for event in events} == {"aws.ssm"}
    assert {tuple(event["resources"]) for event in events} == {(cloud.arn("/a"),)}
    details = sorted((event["detail"] for event in events), key=lambda detail: str(detail["operation"]))
    assert details == [
        {"operation": operation, "name": "/a", "type": "String", "description": "d"}
        for operation in ("Create", "Delete", "LabelParameterVersion", "Update")
    ]


@pytest.mark.parametrize("wrong", ["same", "1st"])
def test_what_changes_nothing_is_not_told_of(cloud: SsmCloud, wrong: str) -> None:
    url = cloud.told("Parameter Store Change")
    if wrong == "1st":
        cloud.put("/a")
        cloud.ssm.label_parameter_version(Name="/a", Labels=[wrong])
    else:
        cloud.ssm.delete_parameters(Names=["/none"])
        cloud.put("/a")
    cloud.ssm.delete_parameter(Name="/a")
    operations = [event["detail"]["operation"] for event in cloud.bodies(url, 2)]
    assert sorted(operations) == ["Create", "Delete"]
