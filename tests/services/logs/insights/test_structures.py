"""Messages put together by the structure that they have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from tests.services.logs.insights.conftest import Asker, Record

STORED = "{} [INFO] Calling DynamoDB to store for resource id {}"
MESSAGES = [
    STORED.format("2023-01-01 19:00:01", "12342342k124-12345"),
    STORED.format("2023-01-01 19:00:02", "324892398123-12345"),
    STORED.format("2023-01-01 19:00:03", "3ff231242342-12345"),
    "ERROR call of 10.0.0.1 failed with 503",
    "ERROR call of 10.0.0.27 failed with 500",
    "nothing in it changes",
]


@pytest.fixture(scope="module")
def asked(shared: Callable[[Sequence[str]], Asker]) -> Asker:
    return shared(MESSAGES)


def test_what_differs_is_shown_by_its_type_and_place(asked: Asker) -> None:
    """The example is the user guide's."""
    found: list[Record] = asked.ask("pattern @message")
    assert [(one["@pattern"], one["@sampleCount"], one["@ratio"], one.get("@severityLabel")) for one in found] == [
        ("<DateTime-1> [INFO] Calling DynamoDB to store for resource id <Token-2>", "3", "0.5", "Info"),
        ("ERROR call of <IPAddress-1> failed with <Number-2>", "2", "0.3333", "Error"),
        ("nothing in it changes", "1", "0.1667", None),
    ]


def test_patterns_are_filtered_and_sorted_as_records(asked: Asker) -> None:
    found = asked.ask("filter @message like /ERROR|nothing/ | pattern @message | sort @sampleCount asc | limit 1")
    assert [one["@pattern"] for one in found] == ["nothing in it changes"]
    assert asked.ask("pattern @message | filter @severityLabel = 'Error' | fields @ratio * 3 as thrice") == [
        {
            "@pattern": "ERROR call of <IPAddress-1> failed with <Number-2>",
            "@ratio": "0.3333",
            "@sampleCount": "2",
            "@severityLabel": "Error",
            "thrice": "1",
        }
    ]


def test_patterns_of_a_field_that_was_parsed(asked: Asker) -> None:
    found = asked.ask("parse @message 'call of * failed' as who | pattern who")
    assert found == [{"@pattern": "<IPAddress-1>", "@ratio": "1", "@sampleCount": "2"}]


@pytest.mark.parametrize(
    ("message", "pattern"),
    [
        ("request 6ba7b810-9dad-11d1-80b4-00c04fd430c8 took 12.5 ms", "request <UUID-1> took <Number-2> ms"),
        ("at 2024-05-06T07:08:09.123Z", "at <DateTime-1>"),
        ('h - [10/Oct/2000:13:55:36 -0700] "GET /a"', 'h - [<DateTime-1>] "GET /a"'),
        ("on 2024/05/06 at 07:08:09", "on <Date-1> at <Time-2>"),
        ("pointer 0xdeadbeef", "pointer <HexNumber-1>"),
        ("id=7, other=-3", "id=<Number-1>, other=<Number-2>"),
        ("user ada logged in", "user ada logged in"),
    ],
)
def test_types(shared: Callable[[Sequence[str]], Asker], message: str, pattern: str) -> None:
    assert [one["@pattern"] for one in shared([message]).ask("pattern @message")] == [pattern]
