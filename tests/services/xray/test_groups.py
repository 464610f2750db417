"""Groups and their filters; tags of groups and sampling rules."""

from __future__ import annotations

import time
from typing import Any

from tests.refused import code_of
from tests.services.xray.segments import put, segment, trace_id


def test_a_group_is_made_changed_and_deleted(xray: Any) -> None:
    group = xray.create_group(GroupName="slow", FilterExpression="duration > 5")["Group"]
    assert group["GroupARN"].split(":")[5].startswith("group/slow/")
    assert group["InsightsConfiguration"] == {"InsightsEnabled": False, "NotificationsEnabled": False}
    assert xray.get_group(GroupName="slow")["Group"] == group
    changed = xray.update_group(GroupARN=group["GroupARN"], FilterExpression="duration > 6")["Group"]
    assert changed == group | {"FilterExpression": "duration > 6"}
    assert [each["GroupName"] for each in xray.get_groups()["Groups"]] == ["Default", "slow"]
    xray.delete_group(GroupName="slow")
    assert code_of(xray.get_group, GroupName="slow") == "InvalidRequestException"


def test_traces_and_graphs_of_a_group(xray: Any) -> None:
    now = time.time()
    fast, slow = segment(trace_id(now), "fast", took=1), segment(trace_id(now), "slow", took=9)
    put(xray, fast, slow)
    xray.create_group(GroupName="slow", FilterExpression="duration > 5")
    found = xray.get_trace_summaries(StartTime=now - 60, EndTime=now + 60, FilterExpression='group.name = "slow"')
    assert [each["Id"] for each in found["TraceSummaries"]] == [slow["trace_id"]]
    graph = xray.get_service_graph(StartTime=now - 60, EndTime=now + 60, GroupName="slow")
    assert {each["Name"] for each in graph["Services"]} == {"slow"}
    everything = xray.get_service_graph(StartTime=now - 60, EndTime=now + 60, GroupName="Default")
    assert {each["Name"] for each in everything["Services"]} == {"fast", "slow"}


def test_what_is_refused_of_groups(xray: Any) -> None:
    xray.create_group(GroupName="g")
    bad = "InvalidRequestException"
    assert code_of(xray.create_group, GroupName="g") == bad
    assert code_of(xray.create_group, GroupName="h", FilterExpression="nonsense") == bad
    assert code_of(xray.create_group, GroupName="h", InsightsConfiguration={"InsightsEnabled": True}) == bad
    assert code_of(xray.update_group, GroupName="g", FilterExpression="nonsense") == bad
    assert code_of(xray.update_group, GroupName="Default", FilterExpression="ok") == bad
    assert code_of(xray.delete_group, GroupName="Default") == bad
    assert code_of(xray.get_group) == bad
    for index in range(24):
        xray.create_group(GroupName=f"g{index}")
    assert code_of(xray.create_group, GroupName="too-many") == bad


def test_insights_are_not_built(xray: Any) -> None:
    assert code_of(xray.get_insight_summaries, StartTime=0, EndTime=1) == "NotImplemented"


def test_tags(xray: Any) -> None:
    arn = xray.create_group(GroupName="g", Tags=[{"Key": "a", "Value": "1"}])["Group"]["GroupARN"]
    xray.tag_resource(ResourceARN=arn, Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": "3"}])
    assert xray.list_tags_for_resource(ResourceARN=arn)["Tags"] == [
        {"Key": "a", "Value": "2"},
        {"Key": "b", "Value": "3"},
    ]
    xray.untag_resource(ResourceARN=arn, TagKeys=["a", "c"])
    assert xray.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "b", "Value": "3"}]
    assert (
        code_of(xray.tag_resource, ResourceARN=arn, Tags=[{"Key": "aws:a", "Value": ""}]) == "InvalidRequestException"
    )
    many = [{"Key": str(index), "Value": ""} for index in range(50)]
    assert code_of(xray.tag_resource, ResourceARN=arn, Tags=many) == "TooManyTagsException"
    xray.delete_group(GroupName="g")
    missing = "ResourceNotFoundException"
    assert code_of(xray.list_tags_for_resource, ResourceARN=arn) == missing
    assert code_of(xray.tag_resource, ResourceARN=arn, Tags=[]) == missing
    assert code_of(xray.untag_resource, ResourceARN=arn, TagKeys=[]) == missing
