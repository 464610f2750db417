"""Templates: whatever an event holds, what they make of it is what they say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core.background.retrying import DeliveryError
from cloudlet.services.events import transforming
from cloudlet.services.events.delivery_record import Delivery
from cloudlet.services.events.rule_record import Rule

RULE = Rule("111111111111", "eu-west-1", "default", "r", "ENABLED")
EVENT = {
    "id": "7",
    "detail-type": "t",
    "detail": {
        "all": [1, 2, {"x": 3}],
        "some": {"list": ["HIGH"], "text": "single"},
        "quoted": 'say "x"',
        "lines": "a\nb",
    },
}
PATHS = {
    "n": "$.detail.all[0]",
    "last": "$.detail.all[2].x",
    "none": "$.detail.none",
    "each": "$.detail.all[*]",
    "whole": "$.detail.some",
    "list": "$.detail.some.list",
    "text": "$.detail.some.text",
    "quoted": "$.detail.quoted",
    "lines": "$.detail.lines",
}
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


def made(template: str, event: Any, **paths: str) -> str:
    """Return what a template makes of an event."""
    transformer = {"InputTemplate": template, "InputPathsMap": paths}
    target = {"Id": "1", "Arn": "arn:aws:sqs:eu-west-1:111111111111:q", "InputTransformer": transformer}
    return transforming.text(Delivery(json.dumps(event), RULE, target, 1_700_000_000_000, 0, 0))


@given(_VALUES)
def test_a_value_is_itself_outside_of_quotation_marks(value: Any) -> None:
    assert json.loads(made('{"as":<v>}', {"detail": {"v": value}}, v="$.detail.v")) == {"as": value}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("<n> <last>", "1 3"),
        ('"<n> of <last>"', '"1 of 3"'),
        ('"<list> <text>"', '"[HIGH] single"'),
        ('"it is <whole>"', '"it is {list:[HIGH],text:single}"'),
        ('{"is":"<text>!","as":<list>}', '{"is":"single!","as":["HIGH"]}'),
        ('"say \\"<n>\\""', '"say \\"1\\""'),
        ('{"a":<none>,"b":"<none>"}', '{"a":"","b":""}'),
        ('{"each":<each>}', '{"each":[1,2,{"x":3}]}'),
        ("<aws.events.rule-arn>", '"arn:aws:events:eu-west-1:111111111111:rule/r"'),
        ('"<aws.events.event.ingestion-time>"', '"2023-11-14T22:13:20Z"'),
        ("<aws.events.event>", '{"id":"7","detailType":"t"}'),
        ('{"was":<aws.events.event.json>}', f'{{"was":{json.dumps(EVENT, separators=(",", ":"))}}}'),
        ('"1 < 2 > 0"', '"1 < 2 > 0"'),
    ],
)
def test_places_are_filled(template: str, expected: str) -> None:
    assert made(template, EVENT, **PATHS) == expected


@pytest.mark.parametrize(
    "template",
    [
        '{"as":"<list>"}',
        '{"as":"it is <whole>"}',
        '["<quoted>"]',
        '"<quoted>"',
        '{"as":"<lines>"}',
        "<text> is no JSON",
    ],
)
def test_what_is_no_json_once_it_is_filled_goes_to_no_target(template: str) -> None:
    """User guide, "Common issues with transforming input": values are not escaped."""
    with pytest.raises(DeliveryError) as caught:
        made(template, EVENT, **PATHS)
    assert (caught.value.code, caught.value.permanent) == ("INVALID_JSON", True)


def test_what_an_event_says_is_not_taken_for_a_place() -> None:
    assert made("<v>", {"detail": {"\ufdd0": 1}}, v="$.detail") == '{"\ufdd0":1}'


def test_a_value_with_very_many_texts_is_given_up_soon() -> None:
    with pytest.raises(DeliveryError, match="more than 8192 values"):
        made('"<v>"', {"detail": '"' * 100_000}, v="$.detail")
