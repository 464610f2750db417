"""Which event of the source each thing that an enrichment answers is known by."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from cloudlet.services.pipes import enriching, function
from cloudlet.services.pipes.event import Event

PIPE: Any = SimpleNamespace(enrichment="arn:aws:lambda:us-east-1:111111111111:function:f", enrichment_parameters={})
BLOCK: Any = None


@pytest.mark.parametrize(
    ("answer", "known_by"),
    [
        ([1, 2, 3], ["a", "b", "c"]),
        ([{"messageId": "c"}, {"messageId": "x"}, {"eventID": "a"}], ["c", "b", "a"]),
        ([{"messageId": "c"}, {"eventID": "a"}], ["c", "a"]),
        ([{"messageId": "b"}] * 4, ["b"] * 4),
        ([{"messageId": "b"}, {"n": 1}], ["b", ""]),
        ({"messageId": 1}, [""]),
    ],
)
def test_it_is_known_by_the_id_that_it_has_or_by_its_place(
    monkeypatch: pytest.MonkeyPatch, answer: Any, known_by: list[str]
) -> None:
    async def invoke(*_: Any) -> Any:
        return answer

    monkeypatch.setattr(function, "invoke", invoke)
    events = [Event(id, {"messageId": id}, handle=f"of {id}") for id in "abc"]
    found = asyncio.run(enriching.enriched(BLOCK, PIPE, events, ["{}"] * 3))
    assert [event.id for event in found] == known_by
    assert [event.document for event in found] == (answer if isinstance(answer, list) else [answer])
