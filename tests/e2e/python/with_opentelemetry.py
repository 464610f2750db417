"""OpenTelemetry's SDK with its exporter for OTLP over HTTP: run by tests/e2e/test_python.py."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import extract, inject
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Tracer, format_trace_id

# Nobody signs what the exporter sends: it is in this account.
XRAY = boto3.client("xray", aws_access_key_id="000000000000", aws_secret_access_key="test")


@pytest.fixture(params=[Compression.NoCompression, Compression.Gzip], ids=["plain", "gzip"])
def exporter(request: pytest.FixtureRequest) -> OTLPSpanExporter:
    """The exporter; its endpoint is in the environment."""
    return OTLPSpanExporter(compression=request.param)


@pytest.fixture
def tracers(exporter: OTLPSpanExporter) -> Iterator[tuple[Tracer, Tracer]]:
    """The tracers of two services."""
    providers = [TracerProvider(resource=Resource.create({"service.name": name})) for name in ("web", "orders")]
    for provider in providers:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    yield tuple(provider.get_tracer("test") for provider in providers)
    for provider in providers:
        provider.shutdown()


def flattened(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [document, *(each for inner in document.get("subsegments", []) for each in flattened(inner))]


def documents(trace: str, count: int) -> list[dict[str, Any]]:
    """Return the segments and subsegments of a trace, once there are so many."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        traces = XRAY.batch_get_traces(TraceIds=[trace])["Traces"]
        segments = [json.loads(each["Document"]) for found in traces for each in found["Segments"]]
        found = [each for segment in segments for each in flattened(segment)]
        if len(found) >= count:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{found} is all that came")


def test_spans_of_two_services_are_one_trace(tracers: tuple[Tracer, Tracer]) -> None:
    web, orders = tracers
    carrier: dict[str, str] = {}
    with web.start_as_current_span("GET /orders", kind=SpanKind.SERVER) as span:
        span.set_attribute("http.request.method", "GET")
        span.set_attribute("url.path", "/orders")
        span.set_attribute("http.response.status_code", 500)
        with web.start_as_current_span("ask orders", kind=SpanKind.CLIENT) as call:
            call.set_attribute("peer.service", "orders")
            inject(carrier)
    with (
        orders.start_as_current_span("find", context=extract(carrier), kind=SpanKind.SERVER) as found,
        pytest.raises(KeyError),
        orders.start_as_current_span("look", attributes={"customer": "7", "aws.xray.annotations": ["customer"]}),
    ):
        raise KeyError("7")
    digits = format_trace_id(found.get_span_context().trace_id)
    trace = f"1-{digits[:8]}-{digits[8:]}"
    for tracer in tracers:
        tracer.span_processor.force_flush()

    seen = {each["name"]: each for each in documents(trace, 4) if "name" in each}
    assert seen["web"]["http"]["response"]["status"] == 500
    assert seen["web"]["fault"] is True
    look = seen["look"]
    assert look["annotations"] == {"customer": "7"}
    assert look["cause"]["exceptions"][0]["type"] == "KeyError"
    services = {each["Name"]: each for each in XRAY.get_trace_graph(TraceIds=[trace])["Services"] if each["Edges"]}
    assert list(services) == ["web"]
