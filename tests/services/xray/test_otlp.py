"""Spans of OpenTelemetry come by OTLP over HTTP, and are segments."""

from __future__ import annotations

import gzip
import json
import secrets
import time
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, Tracer

from cloudlet.testing.server import Aws, Server
from tests.modes import meaningless_in

pytestmark = meaningless_in("strict", because="exporters do not sign what they send")


def signed_for(aws: Aws) -> dict[str, str]:
    """Return headers that say whose request it is: in open mode an unknown key's signature is not looked at."""
    scope = f"{aws.account}/20260101/{aws.region}/xray/aws4_request"
    return {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature={'0' * 64}",
        "X-Amz-Date": "20260101T000000Z",
    }


@pytest.fixture
def provider(aws: Aws) -> Iterator[TracerProvider]:
    exporter = OTLPSpanExporter(f"{aws.endpoint}/v1/traces", headers=signed_for(aws), compression=Compression.Gzip)
    provider = TracerProvider(resource=Resource({"service.name": "shop", "cloud.platform": "aws_ecs"}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield provider
    provider.shutdown()


@pytest.fixture
def tracer(provider: TracerProvider) -> Tracer:
    return provider.get_tracer("tests")


def id_of(span: Span) -> str:
    """Return the id of a span's trace as X-Ray writes it."""
    digits = f"{span.get_span_context().trace_id:032x}"
    return f"1-{digits[:8]}-{digits[8:]}"


def segments(xray: Any, trace: str) -> dict[str, dict[str, Any]]:
    """Return the documents of a trace by name."""
    (found,) = xray.batch_get_traces(TraceIds=[trace])["Traces"]
    parsed = [json.loads(each["Document"]) for each in found["Segments"]]
    return {each["name"]: each for each in parsed}


def post(aws: Aws, body: bytes, content_type: str = "application/json", **headers: str) -> bytes:
    request = Request(f"{aws.endpoint}/v1/traces", body, {**signed_for(aws), "Content-Type": content_type, **headers})
    with urlopen(request) as answer:
        assert answer.headers["Content-Type"] == content_type
        return bytes(answer.read())


def span(**members: Any) -> dict[str, Any]:
    """Return a span as OTLP has it in JSON."""
    now = time.time_ns()
    return {
        "traceId": secrets.token_hex(16),
        "spanId": secrets.token_hex(8),
        "name": "work",
        "kind": 2,
        "startTimeUnixNano": str(now - 10**9),
        "endTimeUnixNano": str(now),
        **members,
    }


def request(*spans: dict[str, Any]) -> bytes:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}).encode()


def test_what_a_server_did(tracer: Tracer, xray: Any) -> None:
    told = {
        "http.request.method": "GET",
        "url.scheme": "https",
        "server.address": "shop.example",
        "url.path": "/cart",
        "url.query": "a=1",
        "client.address": "10.0.0.7",
        "user_agent.original": "curl",
        "http.response.status_code": 404,
        "enduser.id": "anna",
        "aws.xray.annotations": ["cart.id"],
        "cart.id": 7,
        "mood": "good",
    }
    with tracer.start_as_current_span("GET /cart", kind=SpanKind.SERVER, attributes=told) as served:
        pass
    found = segments(xray, id_of(served))["shop"]
    assert "type" not in found
    assert found["origin"] == "AWS::ECS::Container"
    assert found["user"] == "anna"
    assert found["http"] == {
        "request": {
            "method": "GET",
            "url": "https://shop.example/cart?a=1",
            "user_agent": "curl",
            "client_ip": "10.0.0.7",
            "x_forwarded_for": True,
        },
        "response": {"status": 404},
    }
    assert (found["error"], "fault" in found) == (True, False)
    assert found["annotations"] == {"cart_id": 7}
    assert found["metadata"]["default"]["mood"] == "good"
    assert found["metadata"]["default"]["otel.resource.service.name"] == "shop"
    assert found["metadata"]["default"]["otel.scope.name"] == "tests"


def test_what_a_scope_is_stays_with_its_spans(aws: Aws, xray: Any) -> None:
    made = span()
    scope = {"name": "http", "version": "1.2", "attributes": [{"key": "team", "value": {"stringValue": "a"}}]}
    told = json.loads(request(made))
    told["resourceSpans"][0]["scopeSpans"][0]["scope"] = scope
    post(aws, json.dumps(told).encode())
    trace = f"1-{made['traceId'][:8]}-{made['traceId'][8:]}"
    metadata = segments(xray, trace)["shop"]["metadata"]["default"]
    found = {name: value for name, value in metadata.items() if name.startswith("otel.scope.")}
    assert found == {"otel.scope.name": "http", "otel.scope.version": "1.2", "otel.scope.team": "a"}


def test_a_trace_is_found_although_its_id_tells_no_time(tracer: Tracer, xray: Any) -> None:
    attributes = {"annotation.customer": "7"}
    with tracer.start_as_current_span("GET", kind=SpanKind.SERVER, attributes=attributes) as served:
        pass
    for kind in ("TraceId", "Event", "Service"):
        found = xray.get_trace_summaries(
            StartTime=time.time() - 60,
            EndTime=time.time() + 5,
            TimeRangeType=kind,
            FilterExpression='annotation[customer] = "7"',
        )["TraceSummaries"]
        assert [each["Id"] for each in found] == [id_of(served)]


def test_calls_and_work_are_subsegments(tracer: Tracer, xray: Any) -> None:
    sql = {"db.system": "postgresql", "db.name": "orders", "server.address": "db", "db.statement": "SELECT ?"}
    aws = {"rpc.system": "aws-api", "rpc.service": "DynamoDB", "rpc.method": "GetItem", "aws.table_name": "carts"}
    with tracer.start_as_current_span("GET", kind=SpanKind.SERVER) as served:
        with tracer.start_as_current_span("SELECT", kind=SpanKind.CLIENT, attributes=sql):
            pass
        with tracer.start_as_current_span("DynamoDB.GetItem", kind=SpanKind.CLIENT, attributes=aws):
            pass
        with tracer.start_as_current_span("reckon"):
            pass
    found = segments(xray, id_of(served))
    database, dynamodb, work = found["orders@db"], found["DynamoDB"], found["reckon"]
    assert {each["type"] for each in (database, dynamodb, work)} == {"subsegment"}
    assert {each["parent_id"] for each in (database, dynamodb, work)} == {found["shop"]["id"]}
    assert (database["namespace"], dynamodb["namespace"], "namespace" in work) == ("remote", "aws", False)
    assert database["sql"] == {"database_type": "postgresql", "sanitized_query": "SELECT ?"}
    assert {"operation": "GetItem", "table_name": "carts"}.items() <= dynamodb["aws"].items()
    services = xray.get_trace_graph(TraceIds=[id_of(served)])["Services"]
    assert {(each["Name"], each.get("Type")) for each in services} == {
        ("shop", "client"),
        ("shop", "AWS::ECS::Container"),
        ("orders@db", "Database::postgresql"),
        ("carts", "AWS::DynamoDB::Table"),
    }


def test_a_call_at_the_top_has_a_segment_above_it(tracer: Tracer, xray: Any) -> None:
    attributes = {"server.address": "stock", "http.request.method": "GET", "http.response.status_code": 503}
    with tracer.start_as_current_span("GET", kind=SpanKind.CLIENT, attributes=attributes) as called:
        pass
    found = segments(xray, id_of(called))
    assert found["stock"]["id"] == f"{called.get_span_context().span_id:016x}"
    assert found["stock"]["parent_id"] == found["shop"]["id"]
    assert (found["shop"]["fault"], found["stock"]["fault"], found["stock"]["namespace"]) == (True, True, "remote")


def raise_error() -> None:
    raise KeyError("cart")


def test_exceptions(tracer: Tracer, xray: Any) -> None:
    with pytest.raises(KeyError), tracer.start_as_current_span("GET", kind=SpanKind.SERVER) as served:
        raise_error()
    found = segments(xray, id_of(served))["shop"]
    (raised,) = found["cause"]["exceptions"]
    assert found["fault"] is True
    assert (raised["type"], raised["message"]) == ("KeyError", "'cart'")
    assert raised["stack"][0]["label"] == "raise_error"
    (summary,) = xray.get_trace_summaries(
        StartTime=time.time() - 60, EndTime=time.time() + 5, FilterExpression="fault"
    )["TraceSummaries"]
    (cause,) = summary["FaultRootCauses"]
    assert cause["Services"][0]["EntityPath"][0]["Exceptions"] == [{"Name": "KeyError", "Message": "'cart'"}]


def test_a_failure_without_an_exception_has_its_status_as_its_cause(tracer: Tracer, xray: Any) -> None:
    with tracer.start_as_current_span("GET", kind=SpanKind.SERVER) as served:
        served.set_status(Status(StatusCode.ERROR, "out of stock"))
    found = segments(xray, id_of(served))["shop"]
    assert [each["message"] for each in found["cause"]["exceptions"]] == ["out of stock"]


def test_links_and_events(tracer: Tracer, xray: Any) -> None:
    with tracer.start_as_current_span("other") as other:
        pass
    links = [Link(other.get_span_context(), {"why": "batch"})]
    with tracer.start_as_current_span("GET", context={}, kind=SpanKind.SERVER, links=links) as served:
        served.add_event("packed", {"boxes": 2})
    found = segments(xray, id_of(served))["shop"]
    context = other.get_span_context()
    assert found["links"] == [
        {"trace_id": f"{context.trace_id:032x}", "id": f"{context.span_id:016x}", "attributes": {"why": "batch"}}
    ]
    (event,) = found["metadata"]["default"]["otel.events"]
    assert (event["name"], event["attributes"]) == ("packed", {"boxes": 2})


def test_json(aws: Aws, xray: Any) -> None:
    sent = span(kind=1)
    assert json.loads(post(aws, gzip.compress(request(sent)), **{"Content-Encoding": "gzip"})) == {}
    digits = sent["traceId"]
    found = segments(xray, f"1-{digits[:8]}-{digits[8:]}")["shop"]
    assert found["id"] == sent["spanId"]
    assert found["end_time"] == pytest.approx(int(sent["endTimeUnixNano"]) / 1e9)


def test_of_some_spans_those_are_taken_that_can_be(aws: Aws, xray: Any) -> None:
    good, late = span(), span(startTimeUnixNano=1, endTimeUnixNano=2)
    partial = json.loads(post(aws, request(good, late, span(spanId="ab"))))["partialSuccess"]
    assert partial["rejectedSpans"] == "2"
    assert "InvalidStartTime (1)" in partial["errorMessage"]
    assert "InvalidId (1)" in partial["errorMessage"]
    digits = good["traceId"]
    assert list(segments(xray, f"1-{digits[:8]}-{digits[8:]}")) == ["shop"]


def test_protobuf_is_answered_in_protobuf(aws: Aws) -> None:
    message = ExportTraceServiceRequest()
    message.resource_spans.add().scope_spans.add().spans.add(name="no ids")
    answer = ExportTraceServiceResponse.FromString(post(aws, message.SerializeToString(), "application/x-protobuf"))
    assert answer.partial_success.rejected_spans == 1


def test_whoever_does_not_sign_is_the_default_account(aws: Aws) -> None:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{aws.endpoint}/v1/traces")))
    with provider.get_tracer("tests").start_as_current_span("work") as sent:
        pass
    provider.shutdown()
    xray = Aws(aws.endpoint, "000000000000").client("xray")
    assert len(segments(xray, id_of(sent))) == 1


def test_signatures_are_checked_where_there_is_a_key() -> None:
    account, key, secret = "123456789012", "AKIAOTLP000000000000", "a-secret-of-forty-characters-or-about-so"
    with Server.start("--ephemeral", "--auth", "strict", "--root-key", f"{account}:{key}:{secret}") as server:
        url, sent = f"{server.endpoint}/v1/traces", span()

        def status(signed_with: str | None) -> int:
            made = AWSRequest("POST", url, {"Content-Type": "application/json"}, request(sent))
            if signed_with is not None:
                SigV4Auth(Credentials(key, signed_with), "xray", "us-east-1").add_auth(made)
            try:
                with urlopen(Request(url, made.body, dict(made.headers.items()))) as answer:
                    return int(answer.status)
            except HTTPError as error:
                return error.code

        assert [status(secret), status("wrong"), status(None)] == [200, 403, 403]
        own = {"aws_access_key_id": key, "aws_secret_access_key": secret}
        xray = Aws(server.endpoint, account).client("xray", **own)
        digits = sent["traceId"]
        assert list(segments(xray, f"1-{digits[:8]}-{digits[8:]}")) == ["shop"]


_ODD: list[dict[str, Any]] = [
    {"intValue": "99999999999"},
    {"doubleValue": "NaN"},
    {"boolValue": True},
    {"arrayValue": {"values": [{"intValue": 1}, {}]}},
    {"kvlistValue": {"values": [{"key": "a"}]}},
    {"bytesValue": "AAAA"},
    {},
]


@pytest.mark.parametrize(
    "key",
    [
        "http.status_code",
        "aws.table_name",
        "enduser.id",
        "http.url",
        "url.path",
        "db.system",
        "aws.log.group.names",
        "peer.service",
        "rpc.service",
        "aws.xray.annotations",
        "http.method",
        "rpc.system",
        "annotation.a",
    ],
)
def test_values_of_any_kind(aws: Aws, xray: Any, key: str) -> None:
    spans = [span(kind=kind, attributes=[{"key": key, "value": value}]) for kind in (2, 3) for value in _ODD]
    assert json.loads(post(aws, request(*spans))) == {}
    found = xray.get_trace_summaries(StartTime=time.time() - 60, EndTime=time.time() + 5)["TraceSummaries"]
    assert len(found) == len(spans)
    assert xray.get_service_graph(StartTime=time.time() - 60, EndTime=time.time() + 5)["Services"]


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"\xff\xff", "application/x-protobuf", 400),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "xyz"}]}]}]}', "application/json", 400),
        (b'{"resourceSpans": {"scopeSpans": 7}}', "application/json", 400),
        (b"{}", "text/plain", 415),
        (b" " * (5 * 2**20 + 1), "application/json", 400),
        (request(*[{}] * 10_001), "application/json", 400),
    ],
)
def test_what_cannot_be_read(aws: Aws, body: bytes, content_type: str, status: int) -> None:
    with pytest.raises(HTTPError) as raised:
        post(aws, body, content_type)
    assert raised.value.code == status
