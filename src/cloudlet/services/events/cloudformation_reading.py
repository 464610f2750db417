"""The way to read resources of Amazon EventBridge."""

from __future__ import annotations

import json
from typing import Any, Final

from cloudlet.core.aws.resources.declaration import Call, Properties
from cloudlet.core.aws.resources.reading_declaration import ANSWER, Listing, Read, Reading, read_tags


def _get_rule(properties: Properties) -> str:
    return str(properties["Arn"]).rpartition("/")[2]


def _get_bus(properties: Properties) -> str:
    path = str(properties["Arn"]).split("/")[1:-1]
    return "/".join(path) or "default"


def _find_statement(properties: Properties) -> Any:
    statements = json.loads(properties[ANSWER].get("Policy") or "{}").get("Statement") or ()
    return next((one for one in statements if one.get("Sid") == properties["StatementId"]), None)


_RULE: Final = {"Rule": _get_rule, "EventBusName": _get_bus}

READINGS: Final = {
    "AWS::Events::Rule": Reading(
        Read(Call("DescribeRule", {"Name": _get_rule, "EventBusName": _get_bus})),
        (
            Read(Call("ListTargetsByRule", _RULE), {"Targets": "Targets"}, is_exact=True),
            read_tags("ListTagsForResource", "ResourceARN", "Arn"),
        ),
        Listing(Call("ListRules"), properties={"Arn": "Arn"}, owner=("AWS::Events::EventBus", "EventBusName")),
    ),
    "AWS::Events::EventBus": Reading(
        others=(read_tags("ListTagsForResource", "ResourceARN", "Arn"),), list=Listing(Call("ListEventBuses"))
    ),
    "AWS::Events::EventBusPolicy": Reading(
        Read(Call("DescribeEventBus", {"Name": "EventBusName"}), {"Statement": ""}, _find_statement, is_exact=True)
    ),
    "AWS::Events::Archive": Reading(
        Read(Call("DescribeArchive"), {"SourceArn": "EventSourceArn"}), list=Listing(Call("ListArchives"))
    ),
}
