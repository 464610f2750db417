"""Templates: whatever an event holds, what they make of it is what they say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.events import transforming
from cloudlet.services.events.delivery_record import Delivery
from cloudlet.services.events.rule_record import Rule

RULE = Rule("111111111111", "eu-west-1", "default", "r", "ENABLED")
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
def test_a_value_is_itself_outside_of_quotation_marks_and_text_within(value: Any) -> None:
    found = json.loads(made('{"as":<v>,"in":"it is <v>!"}', {"detail": {"v": value}}, v="$.detail.v"))
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    assert found == {"as": value, "in": f"it is {text}!"}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("<n> of <last>", "1 of 3"),
        ('"say \\"<n>\\""', '"say \\"1\\""'),
        ('{"a":<none>,"b":"<none>"}', '{"a":"","b":""}'),
        ('{"each":<each>}', '{"each":[1,2,{"x":3}]}'),
        ("<aws.events.rule-arn>", '"arn:aws:events:eu-west-1:111111111111:rule/r"'),
        ('"<aws.events.event.ingestion-time>"', '"2023-11-14T22:13:20Z"'),
        ("<aws.events.event>", '{"id":"7"}'),
        ("<aws.events.event.json>", '{"id":"7","detail":{"all":[1,2,{"x":3}]}}'),
        ("1 < 2 > 0", "1 < 2 > 0"),
    ],
)
def test_places_are_filled(template: str, expected: str) -> None:
    event = {"id": "7", "detail": {"all": [1, 2, {"x": 3}]}}
    paths = {"n": "$.detail.all[0]", "last": "$.detail.all[2].x", "none": "$.detail.none", "each": "$.detail.all[*]"}
    assert made(template, event, **paths) == expected
