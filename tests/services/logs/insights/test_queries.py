"""Queries as resources: how they are started, followed, stopped and kept."""

from __future__ import annotations

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core import AwsError
from cloudlet.services.logs import api_insights
from cloudlet.services.logs.insights import running, session
from cloudlet.testing.server import Aws, Server, fresh_account
from tests.refused import code_of
from tests.services.logs.conftest import LocalLogs
from tests.services.logs.insights.conftest import Asker, finished, records
from tests.standing import eventually

INVALID, MISSING = "InvalidParameterException", "ResourceNotFoundException"
ENDLESS = "unnest l into a | unnest l into b | unnest l into c | unnest l into d | stats count(*)"
"""Over a list of a thousand elements this takes days."""


def test_statistics_tell_what_was_looked_at(asker: Asker) -> None:
    messages = [json.dumps({"n": number, "text": "ä"}) for number in range(10)]
    asker.put(messages)
    answer = asker.answer("filter n > 6 | limit 2")
    assert answer["queryLanguage"] == "CWLI"
    assert answer["statistics"] == {
        "recordsScanned": 10,
        "recordsMatched": 3,
        "bytesScanned": sum(len(message.encode()) for message in messages),
        "estimatedRecordsSkipped": 0,
        "estimatedBytesSkipped": 0,
        "logGroupsScanned": 1,
        "resultCount": 2,
    }


def test_times_are_inclusive(asker: Asker) -> None:
    asker.put([str(number) for number in range(5)])
    found = asker.ask("display @message", startTime=asker.begin + 60, endTime=asker.begin + 180)
    assert [record["@message"] for record in found] == ["3", "2", "1"]


def test_several_groups_are_searched(logs: Any) -> None:
    askers = [Asker(logs, name) for name in ("/a/one", "/a/two", "/b")]
    for number, one in enumerate(askers):
        one.put([f"m{number}"], seconds=number)
    log = "display @message | sort @message"
    first, second = [group["logGroupArn"] for group in logs.describe_log_groups()["logGroups"]][:2]

    def messages(query: str = log, **params: Any) -> list[str]:
        found = askers[0].ask(query, **{"logGroupName": None, **params})
        return [record["@message"] for record in found]

    assert messages(logGroupNames=["/a/one", "/b"]) == ["m0", "m2"]
    assert messages(logGroupIdentifiers=[first, second, "/a/one"]) == ["m0", "m1"]
    assert messages(f"SOURCE logGroups(namePrefix: ['/a']) | {log}") == ["m0", "m1"]
    assert messages(f"SOURCE logGroups() | {log}") == ["m0", "m1", "m2"]
    assert messages(f"SOURCE logGroups(class: ['INFREQUENT_ACCESS']) | {log}") == []
    [found] = askers[0].ask("display @log", logGroupName=None, logGroupNames=["/b"])
    assert found["@log"].endswith(":/b")


def test_results_come_in_pages(asker: Asker) -> None:
    asker.put([str(number) for number in range(25)], seconds=1)
    query = asker.start("display @message | sort @timestamp")
    finished(asker.client, query)
    found: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = asker.client.get_query_results(queryId=query, maxItems=10, **token)
        found += [record["@message"] for record in records(page)]
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert found == [str(number) for number in range(25)]
    assert code_of(asker.client.get_query_results, queryId=query, nextToken="x") == INVALID


def test_large_results_are_as_they_were_put(asker: Asker) -> None:
    messages = [f'{number} null "ä" ' + "x" * 20_000 for number in range(20)]
    asker.put(messages, seconds=1)
    query = asker.start("fields nothing, @message | sort @timestamp")
    answer = finished(asker.client, query)
    assert records(answer) == [{"@message": message} for message in messages]
    assert "nextToken" not in answer
    assert records(asker.client.get_query_results(queryId=query, maxItems=1)) == [{"@message": messages[0]}]


def test_limits_of_the_request_and_of_the_query(asker: Asker) -> None:
    asker.put([str(number) for number in range(20)], seconds=1)
    assert len(asker.ask("display @message", limit=3)) == 3
    assert len(asker.ask("display @message | limit 5", limit=10)) == 5
    assert len(asker.ask("display @message | limit 10", limit=5)) == 5


def test_pointers_lead_to_events(asker: Asker) -> None:
    asker.put(["plain", json.dumps({"a": {"b": [1, True, None, "x"]}})])
    answer = asker.answer("display @message")
    pointers = [record[-1] for record in answer["results"]]
    assert {one["field"] for one in pointers} == {"@ptr"}
    [document, plain] = [asker.client.get_log_record(logRecordPointer=one["value"])["logRecord"] for one in pointers]
    assert plain["@message"] == "plain"
    assert plain["@timestamp"] == str(asker.begin * 1000)
    assert plain["@logStream"] == "s"
    assert {name: value for name, value in document.items() if "@" not in name} == {
        "a.b.0": "1",
        "a.b.1": "1",
        "a.b.3": "x",
    }
    statistics = asker.answer("stats count(*)")
    assert [one["field"] for one in statistics["results"][0]] == ["count(*)"]
    assert code_of(asker.client.get_log_record, logRecordPointer="x") == INVALID
    asker.client.delete_log_group(logGroupName="g")
    assert code_of(asker.client.get_log_record, logRecordPointer=pointers[0]["value"]) == MISSING


def test_a_pointer_shows_nothing_of_another_account(cloudlet_server: Server, asker: Asker) -> None:
    asker.put(["secret"])
    pointer = asker.answer("display @message")["results"][0][-1]["value"]
    other = Asker(Aws(cloudlet_server.endpoint, fresh_account()).client("logs"), "g")
    other.put(["own"])
    assert code_of(other.client.get_log_record, logRecordPointer=pointer) == MISSING
    query = asker.start("display @message")
    assert code_of(other.client.get_query_results, queryId=query) == MISSING


def test_what_is_protected_is_masked(asker: Asker) -> None:
    asker.client.create_log_group(logGroupName="g")
    identifiers = ["arn:aws:dataprotection::aws:data-identifier/EmailAddress"]
    policy = {
        "Name": "p",
        "Version": "2021-06-01",
        "Statement": [
            {"DataIdentifier": identifiers, "Operation": {"Audit": {"FindingsDestination": {}}}},
            {"DataIdentifier": identifiers, "Operation": {"Deidentify": {"MaskConfig": {}}}},
        ],
    }
    asker.client.put_data_protection_policy(logGroupIdentifier="g", policyDocument=json.dumps(policy))
    asker.client.create_log_stream(logGroupName="g", logStreamName="s")
    event = {"timestamp": asker.begin * 1000, "message": json.dumps({"mail": "ann@example.com"})}
    asker.client.put_log_events(logGroupName="g", logStreamName="s", logEvents=[event])
    assert asker.ask("display mail") == [{"mail": "*" * 15}]
    assert asker.ask("filter mail like 'ann'") == []
    query = "fields @message, unmask(@message) | sort @timestamp desc | limit 20"
    masked_message, message = (json.dumps({"mail": mail}) for mail in ("*" * 15, "ann@example.com"))
    assert asker.ask(query) == [{"@message": masked_message, "unmask(@message)": message}]
    assert asker.ask("filter unmask(@message) like 'ann@' | display mail") == [{"mail": "*" * 15}]
    assert asker.ask("fields jsonParse(unmask(@message)) as j | stats latest(j.mail) as m") == [
        {"m": "ann@example.com"}
    ]
    pointer = asker.answer("display mail")["results"][0][-1]["value"]
    masked = asker.client.get_log_record(logRecordPointer=pointer)["logRecord"]
    shown = asker.client.get_log_record(logRecordPointer=pointer, unmask=True)["logRecord"]
    assert (masked["mail"], shown["mail"]) == ("*" * 15, "ann@example.com")


def test_events_are_filtered_by_default_indexes(asker: Asker) -> None:
    sessions = [{"attributes": {"session": {"id": name}}, "traceId": number} for number, name in enumerate("abc")]
    asker.put([json.dumps(one) for one in sessions])
    for query, expected in {
        "filterIndex traceId = 1": ["b"],
        "FILTERINDEX attributes.session.id IN ['a', \"c\"]": ["a", "c"],
        "fields 'x' as traceId | filterIndex traceId in [0, '2']": ["a", "c"],
        "filterIndex @logStream = 's' | filter traceId > 0": ["b", "c"],
        "filterIndex @logStream = 'other'": [],
    }.items():
        found = asker.ask(f"{query} | sort attributes.session.id | display attributes.session.id as id")
        assert [one["id"] for one in found] == expected, query


def test_a_query_is_stopped(asker: Asker) -> None:
    asker.put([json.dumps({"l": list(range(1000))})])
    query = asker.start(ENDLESS)
    waiting = [asker.start(ENDLESS), asker.start(ENDLESS)]
    eventually(lambda: asker.client.get_query_results(queryId=query)["status"] == "Running")
    assert asker.client.get_query_results(queryId=waiting[1])["status"] == "Scheduled"
    for one in (query, *waiting):
        assert asker.client.stop_query(queryId=one)["success"]
        assert asker.client.get_query_results(queryId=one)["status"] == "Cancelled"
        assert code_of(asker.client.stop_query, queryId=one) == INVALID
    # Whoever has stood in the way is gone.
    assert asker.ask("stats count(*) as n") == [{"n": "1"}]


HOSTILE = {
    "wildcards": f"parse @message '{'*a' * 200}' as {', '.join(f'f{number}' for number in range(200))}",
    "choices": f"parse @message /{'(.*?)a?' * 80}(?<x>b)/",
}


@pytest.mark.parametrize("query", HOSTILE.values(), ids=HOSTILE)
def test_what_takes_long_to_parse_holds_up_no_other_request(asker: Asker, aws: Aws, query: str) -> None:
    asker.put(["a" * 2000] * 300, seconds=1)
    other: Any = Aws(aws.endpoint, fresh_account()).client("logs")
    other.describe_log_groups()
    took = []
    began = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(asker.answer, query)
        while not answer.done():
            before = time.monotonic()
            other.describe_log_groups()
            took.append(time.monotonic() - before)
    assert answer.result()["status"] == "Complete"
    assert sorted(took)[len(took) // 2] < 0.1
    assert max(took) < 5
    assert time.monotonic() - began < 25


def test_queries_are_listed_the_newest_first(asker: Asker) -> None:
    asker.put(["m"])
    texts = [f"limit {number}" for number in range(1, 6)]
    ids = []
    for text in texts:
        ids.append(asker.start(text))
        finished(asker.client, ids[-1])
    Asker(asker.client, "other").put(["m"])
    other = Asker(asker.client, "other").start("stats count(*)")
    finished(asker.client, other)
    found: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    while True:
        page = asker.client.describe_queries(logGroupName="g", maxResults=2, **token)
        found += page["queries"]
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert [query["queryId"] for query in found] == ids[::-1]
    assert [query["queryString"] for query in found] == texts[::-1]
    assert {query["status"] for query in found} == {"Complete"}
    assert {query["logGroupName"] for query in found} == {"g"}
    assert asker.client.describe_queries()["queries"][0]["queryId"] == other
    assert asker.client.describe_queries(status="Running")["queries"] == []
    assert code_of(asker.client.describe_queries, nextToken="AA==") == INVALID


def test_what_cannot_be_asked_is_refused(asker: Asker) -> None:
    asker.put(["m"])
    given = {"startTime": asker.begin, "endTime": asker.begin + 60, "queryString": "limit 1"}

    def refused(**params: Any) -> str:
        return code_of(asker.client.start_query, **{**given, **params})

    assert refused() == INVALID
    assert refused(logGroupName="g", logGroupNames=["g"]) == INVALID
    assert refused(logGroupName="nope") == MISSING
    assert refused(logGroupNames=[f"g{number}" for number in range(51)]) == INVALID
    assert refused(logGroupName="g", startTime=asker.begin + 120) == INVALID
    assert refused(logGroupName="g", queryString="SOURCE logGroups() | limit 1") == INVALID
    assert refused(logGroupName="g", queryString="x" * 10_001) == INVALID
    assert refused(logGroupName="g", queryLanguage="SQL") == "NotImplemented"
    assert code_of(asker.client.get_query_results, queryId="nope") == MISSING
    assert code_of(asker.client.stop_query, queryId="nope") == MISSING


def test_fields_of_a_group_are_told_by_how_many_have_them(logs: Any) -> None:
    asker = Asker(logs, "g")
    asker.begin = int(time.time()) - 60
    asker.put([json.dumps({"a": 1, "b": {"c": 2}}), json.dumps({"a": 1}), json.dumps({"a": None}), "text"], seconds=1)
    found = {one["name"]: one["percent"] for one in logs.get_log_group_fields(logGroupName="g")["logGroupFields"]}
    system = dict.fromkeys(("@message", "@timestamp", "@ingestionTime", "@logStream", "@log"), 100)
    assert found == {**system, "a": 50, "b.c": 25}
    earlier = logs.get_log_group_fields(logGroupName="g", time=asker.begin - 3600)
    assert earlier["logGroupFields"] == []
    assert code_of(logs.get_log_group_fields, logGroupName="nope") == MISSING


def test_definitions_are_kept(logs: Any) -> None:
    token = "t" * 36
    first = logs.put_query_definition(name="errors/all", queryString="filter a = 1", clientToken=token)
    again = logs.put_query_definition(name="errors/all", queryString="filter a = 1", clientToken=token)
    assert again["queryDefinitionId"] == first["queryDefinitionId"]
    id = first["queryDefinitionId"]
    logs.put_query_definition(
        name="hosts",
        queryString="filter host = {{host}}",
        logGroupNames=["g"],
        parameters=[{"name": "host", "defaultValue": "h"}],
    )
    found = logs.describe_query_definitions()["queryDefinitions"]
    assert [one["name"] for one in found] == ["errors/all", "hosts"]
    assert found[1]["logGroupNames"] == ["g"]
    assert found[1]["parameters"] == [{"name": "host", "defaultValue": "h"}]
    logs.put_query_definition(queryDefinitionId=id, name="errors/some", queryString="filter b = 1")
    [changed] = logs.describe_query_definitions(queryDefinitionNamePrefix="errors")["queryDefinitions"]
    assert (changed["queryDefinitionId"], changed["name"], changed["queryString"]) == (
        id,
        "errors/some",
        "filter b = 1",
    )
    page = logs.describe_query_definitions(maxResults=1)
    [rest] = logs.describe_query_definitions(nextToken=page["nextToken"])["queryDefinitions"]
    assert rest["name"] == "hosts"
    assert logs.delete_query_definition(queryDefinitionId=id)["success"]
    assert code_of(logs.delete_query_definition, queryDefinitionId=id) == MISSING
    assert code_of(logs.put_query_definition, queryDefinitionId=id, name="n", queryString="q") == MISSING
    assert code_of(logs.put_query_definition, name="n", queryString="q", queryLanguage="PPL") == "NotImplemented"


def test_a_query_goes_on_after_a_kill(tmp_path: Path) -> None:
    account = fresh_account()
    with Server.start("--data", str(tmp_path)) as server:
        asker = Asker(Aws(server.endpoint, account).client("logs"), "g")
        asker.put([json.dumps({"l": list(range(1000))})])
        done = asker.start("stats count(*) as n")
        finished(asker.client, done)
        blocking = [asker.start(ENDLESS), asker.start(ENDLESS)]
        waiting = asker.start("stats count(*) as n")
        server.kill()
    with Server.start("--data", str(tmp_path)) as server:
        client: Any = Aws(server.endpoint, account).client("logs")
        assert records(client.get_query_results(queryId=done)) == [{"n": "1"}]
        assert client.get_query_results(queryId=blocking[0])["status"] in ("Scheduled", "Running")
        for query in blocking:
            client.stop_query(queryId=query)
        assert records(finished(client, waiting)) == [{"n": "1"}]


# -- by the clock


def settled(local: LocalLogs, query: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = []

    def has_ended() -> bool:
        found.append(local.call("GetQueryResults", queryId=query))
        return found[-1]["status"] not in ("Scheduled", "Running")

    local.until(has_ended)
    return found[-1]


def local_query(local: LocalLogs, message: str, query: str) -> str:
    local.call("CreateLogGroup", logGroupName="g")
    local.call("CreateLogStream", logGroupName="g", logStreamName="s")
    event = {"timestamp": local.millis, "message": message}
    local.call("PutLogEvents", logGroupName="g", logStreamName="s", logEvents=[event])
    seconds = local.millis // 1000
    given = {"logGroupName": "g", "startTime": seconds - 60, "endTime": seconds + 60, "queryString": query}
    return str(local.call("StartQuery", **given)["queryId"])


def test_results_are_kept_for_seven_days(local: LocalLogs) -> None:
    query = local_query(local, "m", "stats count(*)")
    assert settled(local, query)["status"] == "Complete"
    local.advance(7 * 86_400 - 1)
    assert local.call("GetQueryResults", queryId=query)["results"]
    rows = local.rows()
    local.advance(2)
    with pytest.raises(AwsError, match="does not exist"):
        local.call("GetQueryResults", queryId=query)
    assert local.call("DescribeQueries")["queries"] == []
    local.advance(3600)
    local.until(lambda: local.rows() < rows)


def test_a_query_ends_after_an_hour(local: LocalLogs, monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(*_: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(running, "_answer", answer)
    query = local_query(local, "m", "limit 1")
    local.until(lambda: local.call("GetQueryResults", queryId=query)["status"] == "Running")
    local.advance(3599)
    assert local.call("GetQueryResults", queryId=query)["status"] == "Running"
    local.advance(2)
    assert settled(local, query)["status"] == "Timeout"


def test_expired_events_are_not_found(local: LocalLogs) -> None:
    query = local_query(local, "old", "stats count(*) as n")
    assert settled(local, query)["statistics"]["recordsScanned"] == 1
    local.call("PutRetentionPolicy", logGroupName="g", retentionInDays=1)
    seconds = local.millis // 1000
    local.advance(86_401)
    given = {"logGroupName": "g", "startTime": seconds - 60, "endTime": seconds + 60, "queryString": "stats count(*)"}
    again = str(local.call("StartQuery", **given)["queryId"])
    assert settled(local, again)["statistics"]["recordsScanned"] == 0


def test_no_more_is_read_where_any_events_are_enough(local: LocalLogs, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, most in (("_ROWS_AT_ONCE", 1), ("_FED_ROWS", 0), ("_FED_BYTES", 0)):
        monkeypatch.setattr(running, name, most)
    scanned = []
    local_query(local, "first", "limit 1")
    for _ in range(4):
        event = {"timestamp": local.millis, "message": "more"}
        local.call("PutLogEvents", logGroupName="g", logStreamName="s", logEvents=[event])
    for query in ("limit any 1", "filter @message = 'more' | limit any 1", "limit 1", "stats count(*) | limit any 1"):
        seconds = local.millis // 1000
        given = {"logGroupName": "g", "startTime": seconds - 60, "endTime": seconds + 60, "queryString": query}
        answer = settled(local, str(local.call("StartQuery", **given)["queryId"]))
        assert len(answer["results"]) == 1
        scanned.append(answer["statistics"]["recordsScanned"])
    assert scanned == [1, 2, 5, 5]


def test_results_that_are_too_large_are_not_kept(local: LocalLogs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_MOST_RESULT_BYTES", 600)
    monkeypatch.setattr(session, "_MOST_RESULTS", 1)
    monkeypatch.setattr(session, "_FETCHED", 1)
    query = local_query(local, json.dumps({"l": ["x" * 250] * 2}), "unnest l into a | fields a")
    assert settled(local, query)["status"] == "Complete"
    rows = local.rows()
    seconds = local.millis // 1000
    given = {"logGroupName": "g", "startTime": seconds - 60, "endTime": seconds + 60}
    query = str(local.call("StartQuery", **given, queryString="unnest l into a | fields a, a as b")["queryId"])
    assert settled(local, query)["status"] == "Failed"
    assert local.rows() < rows + 5


def test_an_account_has_so_many_queries_at_a_time(local: LocalLogs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_insights, "_MOST_ACTIVE", 3)
    ids = [local_query(local, json.dumps({"l": list(range(1000))}), ENDLESS)]
    seconds = local.millis // 1000
    given = {"logGroupName": "g", "startTime": seconds - 60, "endTime": seconds + 60, "queryString": ENDLESS}
    ids += [str(local.call("StartQuery", **given)["queryId"]) for _ in range(2)]
    with pytest.raises(AwsError) as caught:
        local.call("StartQuery", **given)
    assert caught.value.code == "LimitExceededException"
    for query in ids:
        local.call("StopQuery", queryId=query)
    again = str(local.call("StartQuery", **{**given, "queryString": "stats count(*)"})["queryId"])
    assert settled(local, again)["status"] == "Complete"
