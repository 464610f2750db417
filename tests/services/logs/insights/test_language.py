"""The query language: cases of the user guide, and what lies between them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.services.logs.insights.conftest import Asker

EVENTS = [
    json.dumps(
        {
            "level": "ERROR",
            "status": 500,
            "latency": 420.5,
            "ok": False,
            "user": {"name": "bob", "a.b": "dotted"},
            "items": [{"id": 1}, {"id": 2}],
            "ip": "10.1.2.3",
            "odd-name": "o",
            "@own": "at",
        }
    ),
    json.dumps({"level": "INFO", "status": 200, "latency": 20, "ok": True, "user": {"name": "ann"}, "ip": "fe80::1"}),
    json.dumps({"level": "INFO", "status": 404, "latency": 35, "text": "true", "tags": ["x", "y"], "ip": "10.1.2"}),
    "[WARN] user=carl, method:GET, took 12 ms  ",
    "REPORT RequestId: 7f4d2ad0-9a58-4b38-9d7e-2f7a3c9e7a11\tDuration: 3.25 ms\tBilled Duration: 4 ms\t"
    "Memory Size: 128 MB\tMax Memory Used: 40 MB\t",
]


@pytest.fixture(scope="module")
def asked(shared: Callable[[Sequence[str]], Asker]) -> Asker:
    return shared(EVENTS)


def shown(seconds: float) -> str:
    """Return a time as results have it."""
    return time.strftime("%Y-%m-%d %H:%M:%S.000", time.gmtime(seconds))


FOUND = {
    # fields and display
    'filter level = "ERROR" | display user.name, items.0.id, items[1].id, user.a.b': [
        {"user.name": "bob", "items.0.id": "1", "items[1].id": "2", "user.a.b": "dotted"}
    ],
    "filter ispresent(`odd-name`) | fields `odd-name`, status - 1 as less": [{"odd-name": "o", "less": "499"}],
    "fields status | fields latency | filter status = 200": [{"status": "200", "latency": "20"}],
    "fields status | display latency | filter status = 200": [{"latency": "20"}],
    "filter status = 200 | fields latency * 2, ok and status > 100 as both": [{"latency * 2": "40", "both": "1"}],
    "filter status = 200 | fields nothing, @entity, ok": [{"ok": "1"}],
    "FIELDS level | FILTER Status = 1 or status = 404 # a | comment\n| LIMIT 5": [{"level": "INFO"}],
    "filter status = 404 | fields text, ok": [{"text": "true"}],
    "filter status = 500 | fields @@own, @own": [{"@@own": "at"}],
    # filter
    'filter level != "INFO" | display level': [{"level": "ERROR"}],
    "filter latency > 30 and latency < 400 | display status": [{"status": "404"}],
    "filter latency > 30 and not (latency < 400) | display status": [{"status": "500"}],
    "filter status in [200, 500] | display status | sort status": [{"status": "200"}, {"status": "500"}],
    'filter level not in ["INFO"] | display status': [{"status": "500"}],
    'filter @message like "took" | display @logStream': [{"@logStream": "s"}],
    "filter @message like /(?i)WARN/ and @message =~ /took \\d+ ms/ | stats count(*)": [{"count(*)": "1"}],
    "filter user.name not like /^b/ | display user.name": [{"user.name": "ann"}],
    "filter ok = 0 | display status": [{"status": "500"}],
    'filter status = "200" | display status': [{"status": "200"}],
    "filter status >= 400 and (level = 'ERROR' or ip = '10.1.2') | stats count(*) as n": [{"n": "2"}],
    # parse
    'parse @message "user=*, method:*, took * ms" as user, method, took | filter took > 10 | display user, method': [
        {"user": "carl", "method": "GET"}
    ],
    'parse @message "user=*" as rest | filter ispresent(rest) | display rest': [
        {"rest": "carl, method:GET, took 12 ms  "}
    ],
    "parse @message /user=(?<who>\\w+), method:(?P<how>[A-Z]+)/ | filter ispresent(who) | display who, how": [
        {"who": "carl", "how": "GET"}
    ],
    "parse @message /user=(\\w+)/ as who | filter ispresent(who) | display who": [{"who": "carl"}],
    'parse ip "*.*.*.*" as a, b, c, d | filter ispresent(d) | display a, d': [{"a": "10", "d": "3"}],
    # stats
    "stats count(*), count(latency), avg(latency), sum(latency), min(latency), max(latency)": [
        {
            "count(*)": "5",
            "count(latency)": "3",
            "avg(latency)": "158.5",
            "sum(latency)": "475.5",
            "min(latency)": "20",
            "max(latency)": "420.5",
        }
    ],
    "stats count(*) as n by level | sort n desc, level": [
        {"n": "2"},
        {"level": "INFO", "n": "2"},
        {"level": "ERROR", "n": "1"},
    ],
    "stats pct(latency, 50) as p, stddev(status) as s, count_distinct(level) as d": [
        {"p": "35", "s": "153.2057", "d": "2"}
    ],
    "stats earliest(status) as e, latest(status) as l, sortsFirst(level) as f, sortsLast(level) as t": [
        {"e": "500", "l": "404", "f": "ERROR", "t": "INFO"}
    ],
    "stats sum(status >= 400) * 100 / count(status) as share": [{"share": "66.6667"}],
    "filter ispresent(status) | stats max(latency) as most by level | stats sum(most), count(*)": [
        {"sum(most)": "455.5", "count(*)": "2"}
    ],
    "stats max(latency) as most, min(latency) as least, most - least as spread, spread / count(latency) as share": [
        {"most": "420.5", "least": "20", "spread": "400.5", "share": "133.5"}
    ],
    "filter level = 'ERROR' | stats count(*) as n, concat(level, n) as both by level": [
        {"level": "ERROR", "n": "1", "both": "ERROR1"}
    ],
    "stats sum(if(level = 'ERROR', 1, 0)) * 100 / count(*) as part, count(case(ok, 1)) as n by level | sort part, n": [
        {"part": "0", "n": "0"},
        {"level": "INFO", "part": "0", "n": "1"},
        {"level": "ERROR", "part": "100", "n": "0"},
    ],
    "stats max(ip), min(level)": [{"max(ip)": "fe80::1", "min(level)": "ERROR"}],
    "stats sum(strcontains(@message, 'took')) as n": [{"n": "1"}],
    "filter nothing = 1 | stats count(*)": [],
    "stats count(*) as n by user.name | filter n = 1 | sort user.name": [
        {"user.name": "ann", "n": "1"},
        {"user.name": "bob", "n": "1"},
    ],
    "filter ispresent(level) | stats count(*) as n group by level | sort by n desc, level": [
        {"level": "INFO", "n": "2"},
        {"level": "ERROR", "n": "1"},
    ],
    # sort, limit, dedup
    "filter ispresent(latency) | sort latency desc | limit 2 | display latency": [
        {"latency": "420.5"},
        {"latency": "35"},
    ],
    "sort @timestamp asc | limit 1 | display status": [{"status": "500"}],
    "filter ispresent(level) | display level, status | dedup level": [
        {"level": "INFO", "status": "404"},
        {"level": "ERROR", "status": "500"},
    ],
    "filter ispresent(level) | display level, status | sort status | dedup level": [
        {"level": "INFO", "status": "200"},
        {"level": "ERROR", "status": "500"},
    ],
    # sums and frequencies
    "filter ispresent(level) | fields status, latency, level | sort status | addtotals": [
        {"status": "200", "latency": "20", "level": "INFO", "Total": "220"},
        {"status": "404", "latency": "35", "level": "INFO", "Total": "439"},
        {"status": "500", "latency": "420.5", "level": "ERROR", "Total": "920.5"},
    ],
    "filter ispresent(level) | sort status | addtotals fieldname=`of all` latency | display `of all` | limit 1": [
        {"of all": "20"}
    ],
    "stats count(*) as n, sum(latency) as s by level | addtotals row=false col=true n, s": [
        {"n": "2"},
        {"level": "ERROR", "n": "1", "s": "420.5"},
        {"level": "INFO", "n": "2", "s": "55"},
        {"n": "5", "s": "475.5"},
    ],
    "fields latency | filter status < 500 | sort latency | addtotals col=true fieldname=t": [
        {"latency": "20", "t": "20"},
        {"latency": "35", "t": "35"},
        {"latency": "55", "t": "55"},
    ],
    "filter nothing = 1 | fields latency | addtotals col=true": [],
    "fields level, ok | countFrequent level, ok": [
        {"_approxcount": "2"},
        {"level": "ERROR", "ok": "0", "_approxcount": "1"},
        {"level": "INFO", "_approxcount": "1"},
        {"level": "INFO", "ok": "1", "_approxcount": "1"},
    ],
    "stats sum_over_time(latency) as s, count_over_time(latency) as n by bin(1mo) | display s, n": [
        {"s": "475.5", "n": "3"}
    ],
    # statistics without names
    "filter ispresent(level) | stats count(*), sum(latency) by level | sort count(*) desc": [
        {"level": "INFO", "count(*)": "2", "sum(latency)": "55"},
        {"level": "ERROR", "count(*)": "1", "sum(latency)": "420.5"},
    ],
    "stats max(status) by tolower(level) | sort tolower(level) desc | limit 1 | display tolower(level), max(status)": [
        {"tolower(level)": "info", "max(status)": "404"}
    ],
    "stats sum(latency) by level | filter sum(latency) / 2 > 100 | display level": [{"level": "ERROR"}],
    "stats count(*) by level, status | stats max(count(*)), count(*) by level | filter level = 'INFO'": [
        {"level": "INFO", "max(count(*))": "1", "count(*)": "2"}
    ],
    # structures
    "filter status = 500 | fields jsonParse(@message) as j | unnest j.items into i | display i.id | sort i.id": [
        {"i.id": "1"},
        {"i.id": "2"},
    ],
    "filter status = 500 | fields jsonParse(@message) as j | display j.user.`a.b`, j.items[1].id, j.ok": [
        {"j.user.a.b": "dotted", "j.items[1].id": "2", "j.ok": "0"}
    ],
    "filter ispresent(tags) | expand tags | display tags | sort tags": [{"tags": "x"}, {"tags": "y"}],
    "filter status = 200 | unnest level into l | display l": [{"l": "INFO"}],
    # fields of Lambda
    'filter @type = "REPORT" | display @requestId, @duration, @billedDuration, @memorySize, @maxMemoryUsed': [
        {
            "@requestId": "7f4d2ad0-9a58-4b38-9d7e-2f7a3c9e7a11",
            "@duration": "3.25",
            "@billedDuration": "4",
            "@memorySize": "128000000",
            "@maxMemoryUsed": "40000000",
        }
    ],
}


@pytest.mark.parametrize("query", FOUND)
def test_a_query_finds(asked: Asker, query: str) -> None:
    assert asked.ask(query) == FOUND[query]


CALCULATED = {
    "1 + 2 * 3": "7",
    "(1 + 2) * 3": "9",
    "2 ^ 3": "8",
    "2 ^ 3 ^ 0": "2",
    "10 % 3": "1",
    "7 / 2": "3.5",
    "1 / 3": "0.3333",
    "-2 - -3": "1",
    "1 / 0": None,
    "1000000 * 1000000": "1000000000000",
    "abs(-2.5)": "2.5",
    "ceil(1.2)": "2",
    "floor(-1.2)": "-2",
    "greatest(1, 5, 3)": "5",
    "least(4, 2.5)": "2.5",
    "log(1)": "0",
    "log(0)": None,
    "sqrt(9)": "3",
    "sqrt(-9)": None,
    "abs('x')": None,
    "1 < 2": "1",
    "'b' < 'a'": "0",
    "'10' > '9'": "1",
    "not 1 = 2": "1",
    "5 in [1, '5']": "1",
    "ispresent(nothing)": "0",
    "coalesce(nothing, 'x')": "x",
    "if(1 = 1, 'x', 'y')": "x",
    "if(nothing = 1, 'x', 'y')": "y",
    "if(1 > 2, 'x', 3)": "3",
    "if('a' like /b/ or isempty(''), 1, 0) + 1": "2",
    "case(1 = 2, 'a', 1 = 1, 'b', 1 = 1, 'c')": "b",
    "case(1 = 2, 'a', 'd')": "d",
    "coalesce(case(1 = 2, 'a'), 'none')": "none",
    "isempty('')": "1",
    "isempty(nothing)": "1",
    "isblank(' \t')": "1",
    "isblank('a')": "0",
    "concat('a', 1, 'b')": "a1b",
    "md5('ab')": "187ef4436122d1cc2f40dc2b92f0eba0",
    "sha256('ab')": "fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603",
    "ltrim('  ab ')": "ab ",
    'ltrim("xyZxyfooxyZ", "xyZ")': "fooxyZ",
    'rtrim("xyZfooxyxyZ", "xyZ")': "xyZfoo",
    'trim("xyZxyfooxyxyZ", "xyZ")': "foo",
    "strlen('añ😀')": "3",
    "toupper('ab')": "AB",
    "tolower('AB')": "ab",
    'substr("xyZfooxyZ", 3)': "fooxyZ",
    'substr("xyZfooxyZ", 3, 3)': "foo",
    'replace("foo", "o", "0")': "f00",
    "strcontains('abc', 'bc')": "1",
    "strcontains('abc', 'x')": "0",
    "strcontains('aBc', 'Bc', false)": "1",
    "strcontains('aBc', 'bC', true)": "1",
    "strcontains('aBc', 'bC', false)": "0",
    "startsWith('abc', 'ab')": "1",
    "startsWith('abc', 'b')": "0",
    "endsWith('abc', 'bc')": "1",
    "endsWith('abc', 'b')": "0",
    "regexReplace('a1b22', '[0-9]+', '#')": "a#b#",
    r"regexReplace('k=v', '(\w)=(\w)', '\2=\1')": "v=k",
    "split('a,b,c', ',')": '["a","b","c"]',
    "urlencode('a b&ü')": "a%20b%26%C3%BC",
    "urldecode('a%20b%26%C3%BC')": "a b&ü",
    "concat('x', urldecode('%C3'))": "x",
    "base64encode('aü')": "YcO8",
    "base64decode('YcO8')": "aü",
    "concat('x', base64decode('!'))": "x",
    'hexToAscii("48656c6c6f")': "Hello",
    "concat('x', hexToAscii('4z'))": "x",
    'hexToDec("0xff")': "255",
    "hexToDec('FF')": "255",
    "ispresent(hexToDec('xyz'))": "0",
    "decToHex(255)": "0xff",
    "decToHex(-255.9)": "-0xff",
    "decToHex(-0.5)": "0x0",
    "round(2.5)": "3",
    "round(2.567, 2)": "2.57",
    "round(-1234.5, -2)": "-1200",
    "round(haversine(52.52, 13.405, 48.8566, 2.3522))": "877",
    "haversine(1, 1, 1, 1)": "0",
    "toNumber('12.5') + 1": "13.5",
    "toDouble('1e3')": "1000",
    "toInt('12.9')": "12",
    "toInt('-12.9') + 1": "-11",
    "ispresent(toInt('3000000000'))": "0",
    "toLong('9007199254740993')": "9007199254740993",
    "ispresent(toLong('x'))": "0",
    "isNumeric('1e3')": "1",
    "isNumeric('1x')": "0",
    "messageSize('aü')": "3",
    "jsonArraySize('[1, 2, 3]')": "3",
    "ispresent(jsonArraySize('{}'))": "0",
    """jsonArrayContains('["admin", 1]', 'admin')""": "1",
    """jsonArrayContains('["admin", 1]', 'Admin')""": "0",
    """jsonArrayContains('["admin", 1]', '1')""": "1",
    "jsonArrayContains('nope', 'n')": "0",
    "ipv4ToNumber('1.2.3.4')": "16909060",
    "isPrivateIP('172.31.0.1')": "1",
    "isPrivateIP('172.32.0.1')": "0",
    "isPrivateIP('x')": "0",
    "isPublicIP('8.8.8.8')": "1",
    "isPublicIP('10.0.0.1')": "0",
    "isPublicIP('2a00:1450::1')": "1",
    "isPublicIP('fe80::1')": "0",
    "isPublicIP('x')": "0",
    "isReservedIP('127.0.0.1')": "1",
    "isReservedIP('240.0.0.1')": "1",
    "isReservedIP('::1')": "1",
    "isReservedIP('8.8.8.8')": "0",
    "parseDate('2024-07-01', 'yyyy-MM-dd')": "1719792000000",
    "parseDate('2024-07-01', 'yyyy-MM-dd', 'UTC')": "1719792000000",
    "parseDate('2024-07-01 12:00', 'yyyy-MM-dd HH:mm', 'Europe/Berlin')": "1719828000000",
    "parseDate('2024-07-01 12:00', 'yyyy-MM-dd HH:mm', '+02:00')": "1719828000000",
    """parseDate('2024-07-01T12:00:00.250+02:00', "yyyy-MM-dd'T'HH:mm:ss.SSSXXX")""": "1719828000250",
    """parseDate('2024-07-01T10:00:00Z', "yyyy-MM-dd'T'HH:mm:ssX")""": "1719828000000",
    "parseDate('1 Jul 2024 10:00 PM', 'd MMM yyyy h:mm a')": "1719871200000",
    "ispresent(parseDate('yesterday', 'yyyy-MM-dd'))": "0",
    "formatDate(1719828000250, '%Y-%m-%d %H:%M:%S.%g')": "2024-07-01 10:00:00.250",
    "strftime(1719828000000, '%H:%M', 'Europe/Berlin')": "12:00",
    "formatDate(1719828000000, '%H:%M', '-0330')": "06:30",
    "datefloor(1700000000123, 90m)": "2023-11-14 22:00:00.000",
    "isValidIp('10.0.0.1')": "1",
    "isValidIp('10.0.0.256')": "0",
    "isValidIpv4('::1')": "0",
    "isValidIpv6('::ffff:10.0.0.1')": "1",
    "isIpInSubnet('10.1.2.3', '10.1.0.0/16')": "1",
    "isIpv4InSubnet('10.2.2.3', '10.1.0.0/16')": "0",
    "isIpv6InSubnet('fe80::1:2', 'fe80::/10')": "1",
    "isIpv6InSubnet('fec0::1', 'fe80::/10')": "0",
    "fromMillis(1700000000123)": "2023-11-14 22:13:20.123",
    "toMillis(fromMillis(1700000000123)) / 1000": "1700000000.123",
    "datefloor(1700000000123, 1h)": "2023-11-14 22:00:00.000",
    "dateceil(1700000000123, 1h)": "2023-11-14 23:00:00.000",
    "datefloor(1700000000123, 2hrs)": "2023-11-14 22:00:00.000",
    "datefloor(1700000000123, 30minutes)": "2023-11-14 22:00:00.000",
    "datefloor(1700000000123, 1d)": "2023-11-14 00:00:00.000",
    "datefloor(1700000000123, 1w)": "2023-11-13 00:00:00.000",
    "datefloor(1700000000123, 1mo)": "2023-11-01 00:00:00.000",
    "dateceil(1700000000123, 1qtr)": "2024-01-01 00:00:00.000",
    "datefloor(1700000000123, 1y)": "2023-01-01 00:00:00.000",
    "jsonStringify(jsonParse('{\"a\":[1,true]}'))": '{"a":[1,true]}',
    "jsonParse('{a')": None,
    "'it\\'s'": "it's",
    "'a\\d'": "a\\d",
}


def test_expressions_give(asked: Asker) -> None:
    columns = ", ".join(f"{expression} as v{number}" for number, expression in enumerate(CALCULATED))
    [found] = asked.ask(f"fields {columns} | limit 1")
    named = {expression: found.get(f"v{number}") for number, expression in enumerate(CALCULATED)}
    assert named == CALCULATED


def test_events_are_shown_with_time_and_message_the_newest_first(asked: Asker) -> None:
    found = asked.ask("limit 2")
    assert found == [
        {"@timestamp": shown(asked.begin + 240), "@message": EVENTS[4]},
        {"@timestamp": shown(asked.begin + 180), "@message": EVENTS[3]},
    ]


def test_times_are_put_into_bins(asked: Asker) -> None:
    found = asked.ask("stats count(*) as n, latest(@timestamp) as last by bin(2m) | sort n, last")
    assert found == [
        {"bin(2m)": shown(asked.begin + 240), "n": "1", "last": shown(asked.begin + 240)},
        {"bin(2m)": shown(asked.begin), "n": "2", "last": shown(asked.begin + 60)},
        {"bin(2m)": shown(asked.begin + 120), "n": "2", "last": shown(asked.begin + 180)},
    ]
    latest = {"bin(2m)": shown(asked.begin + 240)}
    assert asked.ask("stats count(*) by bin(2m) | sort bin(2m) desc | limit 1 | display bin(2m)") == [latest]


def test_commands_look_at_the_records_before(shared: Callable[[Sequence[str]], Asker]) -> None:
    values = [{"n": 1, "host": "a", "cpu_x": 7}, {"n": "-", "cpu_x": 8}, {"n": 4, "cpu_y": 9}]
    asker = shared([json.dumps(value) for value in values])
    assert asker.ask("sort @timestamp | accum n as total | display n, total") == [
        {"n": "1", "total": "1"},
        {"n": "-", "total": "1"},
        {"n": "4", "total": "5"},
    ]
    # Without the command sort the newest comes first.
    assert asker.ask("fields n | accum n") == [{"n": "4"}, {"n": "4"}, {"n": "5"}]
    assert asker.ask("fields n | sort @timestamp | autoregress n p=1-2") == [
        {"n": "1"},
        {"n": "-", "n_p1": "1"},
        {"n": "4", "n_p1": "-", "n_p2": "1"},
    ]
    assert asker.ask("fields n | sort @timestamp | autoregress n as two p=2 | limit 3 | filter ispresent(two)") == [
        {"n": "4", "two": "1"}
    ]
    assert asker.ask("fields host, cpu_x, cpu_y, n | sort @timestamp | filldown host cpu_x*") == [
        {"host": "a", "cpu_x": "7", "n": "1"},
        {"host": "a", "cpu_x": "8", "n": "-"},
        {"host": "a", "cpu_x": "8", "cpu_y": "9", "n": "4"},
    ]
    assert asker.ask("fields host, cpu_y | sort @timestamp desc | filldown") == [{"cpu_y": "9"}] * 2 + [
        {"host": "a", "cpu_y": "9"}
    ]


def test_outliers_are_clamped_or_removed(shared: Callable[[Sequence[str]], Asker]) -> None:
    asker = shared([json.dumps({"a": value, "b": -value}) for value in (1, 2, 3, 4, 5, 100)] + ["no number"])
    # The middle half is from 2.25 to 4.75: 4.75 + 2.5 * 2.5 = 11.
    clamped = asker.ask("fields a, b | sort @timestamp | outlier a b")
    assert [one.get("a") for one in clamped] == ["1", "2", "3", "4", "5", "11", None]
    assert [one.get("b") for one in clamped][-2:] == ["-100", None]
    lower = asker.ask("fields b | sort @timestamp | outlier param=1 uselower=true b")
    assert [one.get("b") for one in lower][-2:] == ["-7.25", None]
    kept = asker.ask("fields a * 1 as n | sort @timestamp | outlier action=remove n | filter ispresent(n)")
    assert [one["n"] for one in kept] == ["1", "2", "3", "4", "5"]


def test_sessions_end_where_nothing_happens(shared: Callable[[Sequence[str]], Asker]) -> None:
    users = ["x", "y", None, "x", None, None, "y", "x"]
    asker = shared([json.dumps({"user": user, "at": number}) for number, user in enumerate(users)])
    found = asker.ask("filter ispresent(user) | sessionize user maxspan 4m | sort @timestamp | display at, session_id")
    of = {one["at"]: one["session_id"] for one in found}
    assert of["0"] == of["3"] == of["7"]
    assert len({of["0"], of["1"], of["6"]}) == 3
    counted = asker.ask("sessionize user as s | stats count(*) as n by s | sort n | display n")
    assert [one["n"] for one in counted] == ["2", "3", "3"]


def test_bins_without_events_are_filled(shared: Callable[[Sequence[str]], Asker]) -> None:
    asker = shared([json.dumps({"v": 2 if number in (0, 1, 4) else None}) for number in range(5)])
    query = "filter ispresent(v) | stats sum(v) as s, max(v) as m, latest(@timestamp) as last by bin(1m) as t"
    found = asker.ask(f'{query} | fillmissing with 0 for s, "none" for m | sort t | display t, s, m')
    filled = {"s": "0", "m": "none"}
    there = {"s": "2", "m": "2"}
    expected = [there, there, filled, filled, there]
    assert found == [{"t": shown(asker.begin + 60 * number), **one} for number, one in enumerate(expected)]
    assert [one.get("s") for one in asker.ask(f"{query} | fillmissing")] == ["2", None, None, "2", "2"]
    assert asker.ask("stats count(*) as n by bin(1mo) | fillmissing with 0 for n | display n") == [{"n": "5"}]
    assert asker.ask("filter v = 9 | stats count(*) as n by bin(1h) | fillmissing with 0 for n") == []


def test_texts_that_have_a_form_are_parsed(shared: Callable[[Sequence[str]], Asker]) -> None:
    lines = [
        'level=error msg="it said \\"no\\"" took=12 empty= level=twice',
        'a,"b, ""c""",,d',
        "no pair",
        '{"b": {"c": "[1]"}}',
    ]
    asker = shared(lines)
    assert asker.ask(
        "parse logfmt as l | filter l.level = 'error' | display l.msg, l.took + 1 as took, l.empty, l.no"
    ) == [{"l.msg": 'it said "no"', "took": "13", "l.empty": ""}]
    assert asker.ask("parse @message logfmt as l | filter @message = 'no pair' | display l") == [{"l": "{}"}]
    assert asker.ask("filter @message like /^a,/ | parse @message csv as a, b, c, d, e | display a, b, c, d, e") == [
        {"a": "a", "b": 'b, "c"', "c": "", "d": "d"}
    ]
    query = "parse @message /(?<payload>\\{.*\\})/ | json field=payload 'b.c' as c | filter ispresent(c) | display c"
    assert asker.ask(query) == [{"c": "[1]"}]


def test_each_match_makes_a_record(shared: Callable[[Sequence[str]], Asker]) -> None:
    asker = shared(["a=1 b=2", "none", "c="])
    query = r"parse @message /(?<k>\w)=(?<v>\d?)/ multi | display @message, k, v | sort @message, k"
    assert asker.ask(query) == [
        {"@message": "a=1 b=2", "k": "a", "v": "1"},
        {"@message": "a=1 b=2", "k": "b", "v": "2"},
        {"@message": "c=", "k": "c", "v": ""},
        {"@message": "none"},
    ]
    counted = asker.ask(r"parse @message /([a-z])=/ as name multi | stats count(*) as n by name | filter name = 'b'")
    assert counted == [{"name": "b", "n": "1"}]


def test_any_events_are_enough(shared: Callable[[Sequence[str]], Asker]) -> None:
    asker = shared([f"m{number}" for number in range(5)])
    assert len(asker.ask("filter @message != 'm4' | limit any 2")) == 2
    assert asker.ask("stats count(*) as n by @message | limit any 1 | display n") == [{"n": "1"}]


def test_periods_are_capped(asked: Asker) -> None:
    found = asked.ask("stats count(*) as n, countOverTime(*) as m, sumOverTime(1) as s by bin(300s) | limit 1")
    assert found == [{"bin(300s)": shown(asked.begin + 240), "n": "1", "m": "1", "s": "1"}]


def test_the_time_of_a_query_is_known(asked: Asker) -> None:
    names = "queryStartTime() as s, queryEndTime() as e, queryTimeRange() as r"
    [found] = asked.ask(f"fields {names} | limit 1", startTime=asked.begin, endTime=asked.begin + 3600)
    assert found == {"s": str(asked.begin * 1000), "e": str((asked.begin + 3600) * 1000), "r": "3600000"}


def test_now_is_when_the_query_began(asked: Asker) -> None:
    begun = int(time.time())
    [found] = asked.ask("fields now() as n | limit 1")
    assert begun <= float(found["n"]) <= time.time()


def test_the_order_of_the_user_guide(shared: Callable[[Sequence[str]], Asker]) -> None:
    ordered = ["!:", "#", "*%04", "0#", "5A", "111A", "2345_", "@", "@_", "A", "A9876fghj", "a12345hfh"]
    ordered += ["0", "01", "1", "2", "3"]
    asker = shared([json.dumps({"v": value}) for value in reversed(ordered)])
    found = [record["v"] for record in asker.ask("sort v | display v")]
    assert found == ordered
    assert [record["v"] for record in asker.ask("sort v desc | display v")] == ordered[::-1]


def test_json_behind_what_lambda_writes_is_looked_into(logs: Any) -> None:
    metadata = "2026-01-02T03:04:05.678Z\t7f4d2ad0-9a58-4b38-9d7e-2f7a3c9e7a11\tINFO\t"
    messages = [f'{metadata}{{"level": "WARN", "ok": true, "user": {{"name": "eve"}}}}\n', f"{metadata}{{no json}}"]
    messages.append(
        "REPORT RequestId: 7f4d2ad0-9a58-4b38-9d7e-2f7a3c9e7a11\tDuration: 3.25 ms\t\n"
        "XRAY TraceId: 1-5759e988-bd862e3fe1be46a994272793\tSegmentId: 53995c3f42cd8ad8\tSampled: true\t"
    )
    for group, found in (("/aws/lambda/f", [{"level": "WARN", "ok": "1", "user.name": "eve"}]), ("g", [])):
        asker = Asker(logs, group)
        asker.put(messages)
        assert asker.ask('filter level = "WARN" | fields level, ok, user.name') == found
        assert asker.ask("fields @xrayTraceId as trace, @xraySegmentId as segment | filter ispresent(trace)") == [
            {"trace": "1-5759e988-bd862e3fe1be46a994272793", "segment": "53995c3f42cd8ad8"}
        ] * len(found)
        fields = logs.get_log_group_fields(logGroupName=group, time=asker.begin)["logGroupFields"]
        assert ("user.name" in [one["name"] for one in fields]) == bool(found)


def test_long_ids_are_told_apart(shared: Callable[[Sequence[str]], Asker]) -> None:
    id = 1234567890123456789
    asker = shared([json.dumps({"id": id - 1}), json.dumps({"id": id}), json.dumps({"id": str(id)})])
    assert asker.ask(f"filter id = {id} | stats count(*) as n") == [{"n": "2"}]
    assert asker.ask(f"filter id != {id} | display id") == [{"id": str(id - 1)}]
    assert asker.ask(f"filter id in [{id - 1}, 7] | display id") == [{"id": str(id - 1)}]
    assert asker.ask(f"filter id > {id - 1000} | stats count(*) as n") == [{"n": "3"}]


MALFORMED = {
    "": (0, 0),
    "fields": (6, 6),
    "filtre a = 1": (0, 6),
    "fields a | | limit 1": (11, 12),
    "fields a\n| filter b lilke 'x'": (20, 25),
    "filter a = ": (11, 11),
    "filter a like /x/ y": (18, 19),
    "filter a =~ /(x/": (12, 16),
    "filter a like /x(?=y)/": (14, 22),
    "filter a like /(x?){900}(y|z){600}/": (14, 35),
    "filter a like /\x00/": (15, 16),
    "limit 0": (6, 7),
    "limit 100001": (6, 12),
    "fields nosuch(a)": (7, 13),
    "stats median(a)": (6, 12),
    "fields if(a, b)": (7, 15),
    "fields case(a)": (7, 14),
    "stats b - 1 as c, count(a) as b": (6, 7),
    "fields abs(1, 2)": (7, 16),
    "fields regexReplace(a, '(', '')": (23, 26),
    "fields regexReplace(a, b, '')": (23, 24),
    "fields strcontains(a, 'b', 1)": (27, 28),
    "fields parseDate(a, 'qqq')": (20, 25),
    "fields parseDate(a, 'yyyy', 'Nowhere/Else')": (28, 42),
    "fields formatDate(@timestamp, '%Q')": (30, 34),
    "fields case(" + "a, b, " * 11 + "c)": (7, 80),
    "fields count(*)": (7, 15),
    "stats a by b": (6, 7),
    "stats count(*) by bin(5)": (18, 24),
    "stats count(*) by bin(5x)": (22, 24),
    " | ".join(["stats count(*)"] * 11): (0, 184),
    "stats pct(a, 101)": (13, 16),
    "stats count(*) | stats latest(a)": (23, 32),
    "stats count(*) | fields unmask(@message)": (24, 40),
    "fields unmask(@message, a)": (7, 26),
    "parse @message 'a *' as b, c": (15, 28),
    "parse @message /x/": (15, 18),
    f"parse @message '{'*a' * 201}' as {', '.join(f'f{number}' for number in range(201))}": (15, 419),
    "parse @message /(?<x>a{500})/": (15, 29),
    f"parse @message /(?<x>{'[' * 400}/": (15, 422),
    "fields isIpv4InSubnet(a, 'x')": (25, 28),
    "dedup a | fields b": (6, 7),
    "filter a = 1 | diff": (15, 19),
    "pattern a | limit 1 | diff": (22, 26),
    "pattern a | diff | diff": (19, 23),
    "autoregress a p=0": (16, 17),
    "autoregress a p=1-101": (16, 21),
    "stats count(*) by a | fillmissing": (22, 33),
    "stats count(*) by bin(5m) | limit 1 | fillmissing": (38, 49),
    "stats count(*) as n by bin(5m) | fillmissing with 0 for m": (33, 44),
    "filterIndex traceId != 'a'": (20, 22),
    "filterIndex traceId = b": (22, 23),
    "stats count(*) by traceId | filterIndex traceId = 'a'": (40, 53),
    "pattern a | diff previousYear": (17, 29),
    "fields 'open": (7, 8),
    "addtotals rows=true": (10, 19),
    "addtotals row=1 a": (10, 15),
    "outlier action=drop a": (8, 19),
    "outlier param=x a": (8, 15),
    "stats count(*) as n by a | sessionize a": (38, 39),
    "sessionize a maxspan 1y": (21, 23),
    "appendcols max=0 (SOURCE 'g' | limit 1)": (11, 16),
    "appendcols (limit 1)": (12, 17),
    "lookup t a OUTPUT b": (11, 17),
    "fields " + "(" * 100 + "1" + ")" * 100: (67, 68),
    "SOURCE logGroups(foo: ['a']) | limit 1": (17, 20),
    "fields " + "(" * 50 + "a" + ("+1" * 9 + ")") * 50: (24, 693),
    "fields a/b like /x/ | fields a / b / c /": (40, 40),
}


@pytest.mark.parametrize("query", MALFORMED)
def test_a_malformed_query_is_told_where(asked: Asker, query: str) -> None:
    with pytest.raises(asked.client.exceptions.MalformedQueryException) as caught:
        asked.start(query)
    problem = caught.value.response["queryCompileError"]
    location = problem["location"]
    assert (location["startCharOffset"], location["endCharOffset"]) == MALFORMED[query]
    assert problem["message"] == caught.value.response["Error"]["Message"]


@pytest.mark.parametrize(
    "query",
    [
        "fields @message | anomaly",
        "fields a | outlier mark=true a",
        "stats rate(a, 1m)",
        "stats count(*) by bin(5m) offset 1h",
        "stats count(*) by bin(5m), a | fillmissing",
        "relevantfields where a > 1",
        "logcompare timeshift 7d",
        "filterIndex a = 1",
        "filterIndex @aws.account in ['1', '2']",
        "fields unmask(a)",
        "filter a in (SOURCE 'g' | fields a) | pattern @message | diff",
        "SOURCE 'x' | limit 1",
    ],
)
def test_what_is_not_there_is_refused(asked: Asker, query: str) -> None:
    with pytest.raises(asked.client.exceptions.ClientError) as caught:
        asked.start(query)
    assert caught.value.response["Error"]["Code"] == "NotImplemented"


def test_as_many_conditions_as_a_query_has_room_for(asked: Asker) -> None:
    conditions = " or ".join(f"status = {number}" for number in range(400))
    found = asked.ask(f"filter {conditions} | stats count(*) as n")
    assert found == [{"n": "1"}]
