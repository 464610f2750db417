"""Calls of applications that do nothing for it, in X-Ray's service graph."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from cloudlet.core.telemetry.tracing import TraceHeader, parse_header
from cloudlet.testing.server import Aws, Server, fresh_account
from tests.standing import eventually

TRACE = f"1-{int(time.time()):08x}-0123456789abcdef01234567"
FIXED = "1-5f84c7a6-0123456789abcdef01234567"


@pytest.fixture(scope="module")
def traced() -> Iterator[Server]:
    with Server.start("--ephemeral", "--trace-calls") as server:
        yield server


@pytest.fixture
def app(traced: Server) -> Aws:
    return Aws(traced.endpoint, fresh_account())


def services(app: Aws) -> dict[str, dict[str, Any]]:
    """Return the services of the last hour's graph, by name; clients are left out."""
    now = time.time()
    found = app.client("xray").get_service_graph(StartTime=now - 3600, EndTime=now + 60)["Services"]
    return {each["Name"]: each for each in found if each.get("Type") != "client"}


def called_by(graph: dict[str, dict[str, Any]], name: str) -> set[str]:
    names = {each["ReferenceId"]: each["Name"] for each in graph.values()}
    return {names[edge["ReferenceId"]] for edge in graph[name]["Edges"]}


def with_header(client: Any, header: str) -> Any:
    client.meta.events.register(
        "before-send.*", lambda request, **_: request.headers.update({"X-Amzn-Trace-Id": header})
    )
    return client


def test_an_application_is_seen_with_what_it_calls(app: Aws) -> None:
    sqs = app.client("sqs", config=Config(user_agent_appid="checkout"))
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="m")
    app.client("sns", config=Config(user_agent_appid="checkout")).list_topics()
    graph = eventually(lambda: services(app), lambda graph: {"checkout", url, "SNS"} <= graph.keys())
    assert called_by(graph, "checkout") >= {url, "SNS", "SQS"}
    assert graph[url]["Type"] == "AWS::SQS::Queue"


def test_an_application_without_a_name_is_seen_as_its_identity(app: Aws) -> None:
    app.client("sns").list_topics()
    assert eventually(lambda: services(app), lambda graph: "root" in graph)


def test_an_error_is_seen_with_its_cause(app: Aws) -> None:
    with pytest.raises(ClientError):
        app.client("sns", config=Config(user_agent_appid="broken")).get_topic_attributes(
            TopicArn=f"arn:aws:sns:us-east-1:{app.account}:none"
        )
    now = time.time()

    def erroneous() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = app.client("xray").get_trace_summaries(
            StartTime=now - 60, EndTime=now + 60, FilterExpression='service("broken")'
        )["TraceSummaries"]
        return found

    (summary,) = eventually(erroneous)
    (trace,) = app.client("xray").batch_get_traces(TraceIds=[summary["Id"]])["Traces"]
    (call,) = json.loads(trace["Segments"][0]["Document"])["subsegments"]
    assert call["error"] is True
    assert call["cause"]["exceptions"][0]["type"] == "NotFound"
    assert call["aws"]["operation"] == "GetTopicAttributes"


def test_a_call_within_a_trace_belongs_to_it(app: Aws) -> None:
    parent = "0123456789abcdef"
    sqs = with_header(app.client("sqs"), f"Root={TRACE};Parent={parent};Sampled=1")
    sqs.list_queues()

    def documents() -> list[dict[str, Any]]:
        traces = app.client("xray").batch_get_traces(TraceIds=[TRACE])["Traces"]
        return [json.loads(each["Document"]) for trace in traces for each in trace["Segments"]]

    (segment,) = eventually(documents)
    assert segment["parent_id"] == parent
    assert segment["origin"] == "AWS::SQS"
    assert segment["aws"]["operation"] == "ListQueues"


def test_what_is_not_sampled_is_not_told(app: Aws) -> None:
    sns = with_header(app.client("sns"), f"Root={TRACE};Sampled=0")
    sns.list_topics()
    app.client("sqs").list_queues()
    assert "SNS" not in eventually(lambda: services(app), lambda graph: "SQS" in graph)


def test_unless_it_was_asked_for_no_call_is_told(aws: Aws) -> None:
    aws.client("sqs").list_queues()
    now = time.time()
    assert aws.client("xray").get_service_graph(StartTime=now - 3600, EndTime=now + 60)["Services"] == []


@pytest.mark.parametrize(
    ("header", "read"),
    [
        (f"Root={FIXED}", TraceHeader(FIXED, "", True)),
        (f"Root={FIXED};Parent=a;Sampled=0", TraceHeader(FIXED, "a", False)),
        (f"Self=1-2-3; Root={FIXED}; Sampled=?", TraceHeader(FIXED, "", True)),
        ("", None),
        ("Sampled=1", None),
    ],
)
def test_trace_headers_are_read(header: str, read: TraceHeader | None) -> None:
    assert parse_header(header) == read
