"""Segments for X-Ray of requests to stages that are traced. Developer guide, "Trace user requests to REST APIs"."""

from __future__ import annotations

from typing import Any

from cloudlet.core.kernel.context import TRACE_HEADER
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.core.telemetry.segments import find_segments
from cloudlet.core.telemetry.tracing import parse_header
from cloudlet.services.apigateway.rest.call import Call
from cloudlet.wire import HttpResponse


def begin(call: Call) -> None:
    """Make a call a part of its trace: who is called next is told so. Requests that do not say are sampled."""
    if not call.stage.is_traced or find_segments(call.block) is None:
        return
    header = parse_header(call.headers.get(TRACE_HEADER, ""))
    if header is None or not header.sampled:
        return
    call.segment = random_bytes(8).hex()
    call.segment_parent = header.parent
    call.headers[TRACE_HEADER] = f"Root={header.root};Parent={call.segment};Sampled=1"


def add(call: Call, response: HttpResponse) -> None:
    """Tell X-Ray of a call that was answered."""
    header = parse_header(call.headers.get(TRACE_HEADER, ""))
    segments = find_segments(call.block)
    if not call.segment or header is None or segments is None:
        return
    status = call.status
    document: dict[str, Any] = {
        "name": f"{call.stage.api_name}/{call.stage.name}",
        "id": call.segment,
        "trace_id": header.root,
        "start_time": call.time,
        "end_time": max(call.time, call.block.clock.now()),
        "origin": "AWS::ApiGateway::Stage",
        "http": {
            "request": {
                "method": call.verb,
                "url": f"{'https' if call.visit.secure else 'http'}://{call.domain}{call.whole_path}",
                "client_ip": call.visit.peer,
                "user_agent": call.headers.get("user-agent", ""),
            },
            "response": {"status": status, "content_length": call.response_size},
        },
        "aws": {
            "account_id": call.place.account,
            "api_gateway": {
                "account_id": call.place.account,
                "request_id": call.id,
                "rest_api_id": call.api_id,
                "stage": call.stage.name,
            },
        },
        "fault": status >= 500,
        "error": 400 <= status < 500,
        "throttle": status == 429,
    }
    if call.segment_parent:
        document["parent_id"] = call.segment_parent
    segments.add(call.place.account, call.place.region, document)
