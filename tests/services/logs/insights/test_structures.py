"""Messages put together by the structure that they have in common."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest

from cloudlet.services.logs.insights import times
from cloudlet.services.logs.insights.parsing import parse
from cloudlet.services.logs.insights.planning import plan
from cloudlet.services.logs.insights.syntax import Before
from cloudlet.services.logs.insights.times import Asked
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


def test_much_may_differ_in_a_message(asker: Asker) -> None:
    asker.put(["4111 " * 40_000])
    (found,) = asker.ask("pattern @message")
    assert found["@pattern"].endswith(" <Number-39999> <Number-40000> ")


def test_messages_are_not_kept_but_their_structures() -> None:
    for query in ("pattern @message", "filter a = 1 | pattern @message | diff"):
        for feed in plan(parse(query), None, Asked(0, 0, 0)).feeds:
            assert re.match(r"SELECT c\d+ FROM", feed.gather)


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


# -- compared with an earlier time


def _put(asker: Asker, messages: Sequence[str], *, seconds: int) -> None:
    """Put events so many seconds after the begin, or before it."""
    time = (asker.begin + seconds) * 1000
    events = [{"timestamp": time + number, "message": message} for number, message in enumerate(messages)]
    asker.client.put_log_events(logGroupName=asker.group, logStreamName="s", logEvents=events)


def _differences(asker: Asker, query: str) -> dict[str, tuple[str, str]]:
    """Return for each pattern how many events it has and how many more, of the second hour."""
    found = asker.ask(query, startTime=asker.begin + 3600, endTime=asker.begin + 7199)
    return {one["@pattern"]: (one["@sampleCount"], one["@differenceEventCount"]) for one in found}


def test_patterns_are_compared_with_an_earlier_time(asker: Asker) -> None:
    asker.put(["took 1 ms", "took 2 ms", "took 3 ms", "gone"])
    _put(asker, ["took 4 ms", "new", "new"], seconds=3600)
    _put(asker, ["took 5 ms"], seconds=3600 - 86_400)
    _put(asker, ["new"] * 5, seconds=7199 - 7 * 86_400)
    _put(asker, ["never"], seconds=7200 - 7 * 86_400)
    now = {"took <Number-1> ms": ("1", "-2"), "new": ("2", "2"), "gone": ("0", "-1")}
    assert _differences(asker, "pattern @message | diff") == now
    day = {"took <Number-1> ms": ("1", "0"), "new": ("2", "2")}
    assert _differences(asker, "pattern @message | diff previousDay") == day
    week = {"took <Number-1> ms": ("1", "1"), "new": ("2", "-3")}
    assert _differences(asker, "pattern @message | DIFF previousweek") == week
    month = {"took <Number-1> ms": ("1", "1"), "new": ("2", "2")}
    assert _differences(asker, "pattern @message | diff previousMonth") == month


def test_commands_around_a_comparison(asker: Asker) -> None:
    asker.put(["took 1 ms", "ERROR 7", "gone"])
    _put(asker, ["took 4 ms", "ERROR 8", "ERROR 9"], seconds=3600)
    query = "filter @message != 'gone' | pattern @message | diff | filter @severityLabel = 'Error'"
    assert _differences(asker, query) == {"ERROR <Number-1>": ("2", "1")}
    query = "sort @timestamp | limit 1 | pattern @message | diff | fields @ratio"
    assert _differences(asker, query) == {"took <Number-1> ms": ("1", "0")}
    answer = asker.answer("pattern @message | diff", startTime=asker.begin + 3600, endTime=asker.begin + 7199)
    assert answer["statistics"]["recordsScanned"] == 6
    nothing = asker.ask("pattern @message | diff", startTime=asker.begin + 7200, endTime=asker.begin + 10_799)
    assert {one["@pattern"]: one.get("@ratio") for one in nothing} == dict.fromkeys(
        ("took <Number-1> ms", "ERROR <Number-1>")
    )


@pytest.mark.parametrize(
    ("start", "before", "expected"),
    [
        ("2024-03-31T10:00", Before.MONTH, "2024-02-29T10:00"),
        ("2024-01-15T00:00", Before.MONTH, "2023-12-15T00:00"),
        ("2024-05-30T00:00", Before.WEEK, "2024-05-23T00:00"),
        ("2024-03-01T00:00", Before.DAY, "2024-02-29T00:00"),
        ("2024-03-01T00:00", Before.PERIOD, "2024-02-28T00:00"),
        ("9999-12-31T00:00", Before.MONTH, "9999-11-30T00:00"),
    ],
)
def test_an_earlier_time_is_as_long(start: str, before: Before, expected: str) -> None:
    first, earlier = (
        int(datetime.fromisoformat(one).replace(tzinfo=UTC).timestamp()) * 1000 for one in (start, expected)
    )
    length = 2 * 86_400_000
    assert times.of(first, first + length - 1, before) == (earlier, earlier + length - 1)
    assert times.of(first, first, None) == (first, first)
    assert times.of(0, 999, before)[0] == 0
