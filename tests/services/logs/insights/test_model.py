"""What the engine finds is what plain Python finds."""

from __future__ import annotations

import ipaddress
import itertools
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.services.logs.events import Place
from cloudlet.services.logs.insights.parsing import parse
from cloudlet.services.logs.insights.planning import plan
from cloudlet.services.logs.insights.problems import NotBuilt, QueryProblem, Unanswerable
from cloudlet.services.logs.insights.session import MEMORY, Fed, Session, check
from cloudlet.services.logs.insights.syntax import Query
from cloudlet.services.logs.insights.times import Asked
from cloudlet.services.logs.row_record import Row
from tests.sizes import examples

ASKED = Asked(0, 0, 0)
BEGIN = 1_700_000_000_000
_settings = settings(max_examples=examples(40))
words = st.text("abAB01.9-_ä \n'\"\\%*\x00", max_size=8)
values = st.one_of(st.none(), st.booleans(), st.integers(-50, 50), st.sampled_from([0.5, -1.25, 1e6]), words)


def begun(query: Query, folder: Path | None = None, *, memory: str = MEMORY) -> Session:
    """Return a session that waits for the events of a query's only feed."""
    answered = plan(query, None, ASKED)
    session = Session(answered, folder, memory=memory)
    [feed] = answered.feeds
    session.begin(feed)
    return session


def found(query: str, messages: list[str], *, rows: int = 7) -> list[dict[str, str]]:
    """Return the records that a query finds in events of a second each, which are in rows of so many."""
    read = parse(query)
    session = begun(read)
    try:
        for number, some in enumerate(itertools.batched(messages, rows)):
            first = BEGIN + number * rows * 1000
            row = Row(first, [first + index * 1000 for index in range(len(some))], list(some))
            session.feed([Fed(0, "1:g", "s", Place(first, 7, number), msgspec.msgpack.encode(row))])
        session.answer()
        names = plan(read, None, ASKED).names
        records = []
        while some_records := session.results():
            records += [
                {name: value for name, value in zip(names, record.values, strict=True) if value is not None}
                for record in some_records
            ]
        return records
    finally:
        session.close()


def written(value: Any) -> str | None:
    """Return a value of JSON as results have it."""
    match value:
        case None:
            return None
        case bool():
            return str(int(value))
        case str():
            return value
        case _:
            return json.dumps(value)


def number_of(value: Any) -> float | None:
    try:
        return float(written(value) or "")
    except ValueError:
        return None


@_settings
@given(st.lists(values, max_size=20))
def test_values_and_comparisons(given_values: list[Any]) -> None:
    records = found(
        "fields v, v > 3 as more, v = 'a' as a, v != 1 as other | sort @timestamp",
        [json.dumps({"v": value}) for value in given_values],
    )
    expected = []
    for value in given_values:
        text, number = written(value), number_of(value)
        record = {
            "v": text,
            "more": None if number is None else str(int(number > 3)),
            "a": None if text is None else str(int(text == "a")),
            "other": None if text is None else str(int(number != 1)),
        }
        expected.append({name: one for name, one in record.items() if one is not None})
    assert records == expected


@_settings
@given(st.lists(st.tuples(st.sampled_from("xyz"), st.integers(-100, 100)), max_size=30))
def test_statistics(pairs: list[tuple[str, int]]) -> None:
    query = "stats count(*) as n, sum(v) as s, min(v) as low, max(v) as high, earliest(v) as e, latest(v) as l by k"
    records = found(f"{query} | sort k", [json.dumps({"k": key, "v": value}) for key, value in pairs])
    expected = []
    for key in sorted({key for key, _ in pairs}):
        some = [value for other, value in pairs if other == key]
        numbers = {"n": len(some), "s": sum(some), "low": min(some), "high": max(some), "e": some[0], "l": some[-1]}
        expected.append({"k": key, **{name: str(number) for name, number in numbers.items()}})
    assert records == expected


@_settings
@given(st.lists(st.tuples(values, values), max_size=20))
def test_totals(pairs: list[tuple[Any, Any]]) -> None:
    messages = [json.dumps({"a": one, "b": other}) for one, other in pairs]
    records = found("fields a, b | sort @timestamp | addtotals col=true | display Total", messages)
    sums = [
        sum(numbers) if (numbers := [n for one in pair if (n := number_of(one)) is not None]) else None
        for pair in pairs
    ]
    known = [one for one in sums if one is not None]
    totals = [*sums, sum(known) if known else None] if pairs else []
    # Computed numbers have up to four decimals.
    expected = [None if one is None else pytest.approx(one, abs=1e-4) for one in totals]
    assert [None if (text := one.get("Total")) is None else float(text) for one in records] == expected


@_settings
@given(st.lists(st.tuples(st.sampled_from("xy"), st.booleans()), max_size=30), st.integers(1, 4))
def test_sessions(seconds: list[tuple[str, bool]], gap: int) -> None:
    messages = [json.dumps({"user": user if is_there else None}) for user, is_there in seconds]
    records = found(
        f"filter ispresent(user) | sessionize user maxspan {gap}s as s | sort @timestamp | display user, s", messages
    )
    last: dict[str, tuple[int, int]] = {}
    numbers: dict[tuple[str, int], int] = {}
    expected = []
    for second, (user, is_there) in enumerate(seconds):
        if is_there:
            before, nth = last.get(user, (-100, 0))
            last[user] = second, nth + (second - before > gap)
            expected.append((user, numbers.setdefault((user, last[user][1]), len(numbers))))
    given_names: dict[str, int] = {}
    assert [(one["user"], given_names.setdefault(one["s"], len(given_names))) for one in records] == expected


@_settings
@given(st.lists(words, max_size=20), st.booleans(), st.integers(1, 5))
def test_order(texts: list[str], descending: bool, limit: int) -> None:
    def key(text: str) -> tuple[Any, ...]:
        number = number_of(text)
        if number is not None:
            return (1, number, text)
        chunks = re.findall(r"[0-9]+|[^0-9]+", text)
        return (0, 0, "".join(f"0{len(one):07}{one}" if one[0].isdigit() else one for one in chunks))

    direction = "desc" if descending else "asc"
    records = found(f"display v | sort v {direction} | limit {limit}", [json.dumps({"v": text}) for text in texts])
    expected = sorted(texts, key=key, reverse=descending)[:limit]
    assert [record["v"] for record in records] == expected


@_settings
@given(
    st.lists(st.text("ab[ ]/\n'ä\u0301", max_size=12), min_size=1, max_size=10),
    st.lists(st.text("ab[] /'ä\u0301", max_size=2), min_size=2, max_size=5),
)
def test_globs(texts: list[str], parts: list[str]) -> None:
    """A wildcard stands for as little as may be, and the last one, at the end, for all the rest."""
    names = [f"x{number}" for number in range(len(parts) - 1)]
    listed = ", ".join(names)
    query = f"parse @message {json.dumps('*'.join(parts), ensure_ascii=False)} as {listed} | display {listed}"
    records = found(f"{query} | sort @timestamp", [f"m{text}" for text in texts])
    model = re.compile("(.*?)".join(map(re.escape, parts)) + r"\Z" * (not parts[-1]), re.DOTALL)
    expected = []
    for text in texts:
        match = model.search(f"m{text}")
        expected.append({} if match is None else dict(zip(names, match.groups(), strict=True)))
    assert records == expected


addresses = st.one_of(
    st.ip_addresses(v=6).map(str),
    st.ip_addresses(v=6).map(lambda address: address.exploded),  # type: ignore[union-attr]
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=4).map(lambda address: f"::ffff:{address}"),
    st.text("0123456789abcdefg:.", max_size=20),
    st.lists(st.sampled_from(["", "0", "1", "ff", "12345", "1.2.3.4"]), max_size=9).map(":".join),
)


def is_address(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version
    except ValueError:
        return False


@settings(max_examples=examples(20))
@given(st.lists(addresses, min_size=1, max_size=30), st.ip_addresses(v=6), st.integers(0, 128))
def test_addresses(texts: list[str], base: ipaddress.IPv6Address, bits: int) -> None:
    subnet = ipaddress.ip_network(f"{base}/{bits}", strict=False)
    query = f"fields isValidIpv4(v) as a, isValidIpv6(v) as b, isIpv6InSubnet(v, '{subnet}') as c | sort @timestamp"
    records = found(query, [json.dumps({"v": text}) for text in texts])
    expected = []
    for text in texts:
        is_within = is_address(text, 6) and ipaddress.ip_address(text) in subnet
        flags = (is_address(text, 4), is_address(text, 6), is_within)
        expected.append({name: str(int(flag)) for name, flag in zip("abc", flags, strict=True)})
    assert records == expected


_PIECES = """
fields filter stats parse sort limit dedup display unnest by as and or not in like =~ into desc | , ( ) [ ] + - * / ^ %
accum autoregress p=1-2 filldown fillmissing with for
addtotals col=true fieldname=a countFrequent outlier action=remove mark=false sessionize maxspan
join type=left left=a right=b where a.x=b.x (SOURCE 'y' ) !
= != a a.b `c d` @message @timestamp count( sum( bin( abs( 5m 1h 5 1.5 'x' "*y" /z+/ /(?<n>.)/ #
"""


@settings(max_examples=examples(400))
@given(st.lists(st.sampled_from(_PIECES.split()), max_size=12))
def test_whatever_is_asked_is_run_or_refused(words_of_query: list[str]) -> None:
    text = " ".join(words_of_query)
    try:
        query = parse(text)
        check(query, plan(query, None, ASKED))
    except NotBuilt:
        return
    except QueryProblem as problem:
        place, told = (problem.start, problem.end), str(problem)
    else:
        return
    assert 0 <= place[0] <= place[1] <= len(text)
    # That would be the engine's word, and the SQL's fault.
    assert told != "the query cannot be run"


commands = st.sampled_from(
    [
        "fields a, b + 1 as c",
        "fields jsonParse(@message) as j",
        "filter a > 1 or b like /x/",
        "filter not ispresent(j.k)",
        "parse @message /(?<p>\\d)/",
        "parse b '*-*' as q, r",
        "stats count(*) as a, sum(b) as b by c",
        "stats max(a), avg(b) as c by bin(1m)",
        "sort b desc, c",
        "limit 3",
        "unnest j.k into b",
        "expand a",
        "display a, q, j.k",
        "accum b as c",
        "autoregress a p=1-2",
        "filldown b j*",
        "addtotals col=true",
        "addtotals row=false col=true fieldname=t a, b",
        "countFrequent a, c",
        "outlier action=remove uselower=true a",
        "outlier param=1.5 b c",
        "sessionize a, b maxspan 1s as c",
        "stats sum(b) as b, max(a) as a, latest(c) as c by bin(1m) | fillmissing with 0 for b, 'x' for a",
    ]
)


@settings(max_examples=examples(25))
@given(st.lists(commands, min_size=1, max_size=7))
def test_commands_go_together_in_any_order(pipeline: list[str]) -> None:
    query = " | ".join(pipeline)
    read = parse(query)
    try:
        check(read, plan(read, None, ASKED))
    except QueryProblem as problem:
        told = str(problem)
    else:
        told = ""
    assert told != "the query cannot be run"
    if told:
        return
    found(query, ['{"a": [1, 2], "b": "x-y", "k": [{"z": 1}]}', "text 5", '{"a": 3, "b": 4, "c": "d"}', "[", "null"])


def test_what_does_not_fit_into_memory_goes_to_files(tmp_path: Path) -> None:
    read = parse("stats count(*) as n by @message | stats count(*) as groups, sum(n) as n")
    session = begun(read, tmp_path, memory="256MB")
    try:
        for number in range(34):
            first = BEGIN + number * 1000
            messages = [f"{number:05}-{index:05}-{'x' * 1000}" for index in range(10_000)]
            row = msgspec.msgpack.encode(Row(first, [first] * len(messages), messages))
            session.feed([Fed(0, "1:g", "s", Place(first, 7, number), row)])
        session.answer()
        [record] = session.results()
        assert record.values == ("340000", "340000")
    finally:
        session.close()


def test_what_needs_too_much_memory_cannot_be_answered() -> None:
    grown = parse(f"fields replace(@message, 'x', '{'y' * 1000}') as a | fields replace(a, 'y', '{'z' * 1000}') as b")
    session = begun(grown, memory="64MB")
    row = msgspec.msgpack.encode(Row(BEGIN, [BEGIN], ["x" * 200]))
    try:
        with pytest.raises(Unanswerable, match="more memory"):
            session.feed([Fed(0, "1:g", "s", Place(BEGIN, 7, 0), row)])
    finally:
        session.close()


def test_only_the_first_hits_are_kept(tmp_path: Path) -> None:
    read = parse("display @message | sort @message | limit 3")
    session = begun(read, tmp_path)
    try:
        for number in range(10):
            messages = [str((number * 10_000 + index) * 7919 % 100_003) for index in range(10_000)]
            first = BEGIN + number * 1000
            row = msgspec.msgpack.encode(Row(first, [first] * len(messages), messages))
            session.feed([Fed(0, "1:g", "s", Place(first, 7, number), row)])
        session.answer()
        assert [int(str(record.values[0])) for record in session.results()] == [0, 1, 2]
        assert session.counts.matched == 100_000
    finally:
        session.close()


def test_a_row_may_have_expired_in_part() -> None:
    read = parse("fields @timestamp, @message")
    session = begun(read)
    try:
        messages = [str(number) for number in range(5)]
        row = msgspec.msgpack.encode(Row(BEGIN, [BEGIN + number for number in range(5)], messages))
        for number, horizon in enumerate((BEGIN + 3, BEGIN + 100)):
            session.feed([Fed(0, "1:g", "s", Place(BEGIN, 7, number), row, horizon)])
        session.answer()
        records = session.results()
        assert [record.values[1] for record in records] == ["4", "3"]
        assert [record.position and record.position.nth for record in records] == [4, 3]
        assert session.counts.scanned == 2
    finally:
        session.close()


_ODD = [None, True, [1, [2]], {"x": {"y": "inf"}}, 1e300, -0.0, 12345678901234567890, "", "inf", "-inf", "nan", "1e400"]
_ODD += [
    "9e18",
    "9223372036854775807",
    "-9223372036854775808",
    "abc",
    "[1",
    '{"a":1}',
    "a" * 3000,
    "\x00",
    "::",
    "\\",
    "%",
]
_OPERATIONS = """
v+w v-w v*w v/w v%w v^w -v abs(v) ceil(v) floor(v) greatest(v,w) least(v,w) log(v) sqrt(v) v<w v=w v!=w v=~/a+/
isempty(v) isblank(v) concat(v,w) ltrim(v,w) trim(v,w) strlen(v) toupper(v) substr(v,w) substr(v,w,w) substr("abc",v,w)
replace(v,w,"x") replace(v,"","x") strcontains(v,w) isValidIp(v) isIpInSubnet(v,"10.0.0.0/8") isIpv6InSubnet(v,"::/0")
fromMillis(v) toMillis(v) datefloor(v,1h) dateceil(v,1h) datefloor(v,1mo) dateceil(v,10y) datefloor(fromMillis(v),1w)
jsonParse(v) jsonStringify(v) coalesce(v,w) ispresent(v) fromMillis(v)+1 concat(fromMillis(v)) fromMillis(v)<w
"""
_AGGREGATED = "avg count count_distinct earliest latest max min sortsFirst sortsLast stddev sum"


def test_odd_values_make_no_query_fail() -> None:
    messages = [json.dumps({"v": value, "w": other}) for value, other in itertools.product(_ODD, _ODD)]
    columns = ", ".join(f"{one} as r{number}" for number, one in enumerate(_OPERATIONS.split()))
    assert len(found(f"fields {columns} | sort r0, r1", messages, rows=1000)) == len(messages)
    values = ("v", "fromMillis(v)", "jsonParse(v)")
    calls = ", ".join(f"{name}({value})" for name in _AGGREGATED.split() for value in values)
    assert len(found(f"stats {calls}, pct(v, 50)", messages, rows=1000)) == 1
    assert len(found("outlier v | outlier action=remove uselower=true w", messages, rows=1000)) > 0
    assert len(found("fields v, w | addtotals col=true", messages, rows=1000)) == len(messages) + 1
    assert found(f"stats {calls} by w | stats sum(`avg(v)`), count(*) as n", messages, rows=1000)[0]["n"] == "23"
