"""Segments for X-Ray of the calls that applications make, where Cloudlet was started to make them (`--trace-calls`).

A call that carries a trace header becomes a segment of the called service within that trace. One without becomes a
trace of its own: a segment of the application, named by the id that its SDK was given (`AWS_SDK_UA_APP_ID`) or else by
its identity, and in it the call as X-Ray's SDKs describe it.

Developer guide, "Tracing header" and "AWS X-Ray segment documents".
"""

from __future__ import annotations

import re
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from cloudlet.core.kernel.context import TRACE_HEADER
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.core.kernel.service import Handler, Params, Result
from cloudlet.wire import WireError, load

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block
    from cloudlet.core.kernel.context import Context
    from cloudlet.core.telemetry.segments import SegmentExporter

_APPLICATION = re.compile(r"\bapp/([!#$%&'*+.^_`|~0-9A-Za-z-]{1,50})")
_UNNAMEABLE = re.compile(r"[^\w\s.:/%&#=+\-@]")
_LONGEST_NAME = 200


class _Resource(NamedTuple):
    """A parameter that says what a call is about: its name in documents, and the type of such a thing."""

    parameter: str
    told: str
    type: str


_RESOURCES = (
    _Resource("QueueUrl", "queue_url", "AWS::SQS::Queue"),
    _Resource("TableName", "table_name", "AWS::DynamoDB::Table"),
    _Resource("TopicArn", "topic_arn", "AWS::SNS"),
    _Resource("Bucket", "bucket_name", "AWS::S3::Bucket"),
    _Resource("FunctionName", "function_name", "AWS::Lambda"),
)


class TraceHeader(NamedTuple):
    """What a trace header says."""

    root: str
    parent: str
    sampled: bool


def parse_header(header: str) -> TraceHeader | None:
    """Read a trace header (`Root=1-…;Parent=…;Sampled=1`); None where it names no trace."""
    fields = dict(part.strip().partition("=")[::2] for part in header.split(";"))
    root = fields.get("Root")
    return TraceHeader(root, fields.get("Parent", ""), fields.get("Sampled") != "0") if root else None


class Tracer:
    """The calls of one block, on their way to X-Ray."""

    def __init__(self, block: Block, segments: SegmentExporter) -> None:
        self._name = load(block.service.name).service_id
        self._segments = segments

    def answered(self, ctx: Context, handler: Handler, params: Params, result: Result, error: WireError | None) -> None:
        """Note a call that was answered, unless a block made it."""
        if ctx.principal.kind == "service":
            return
        header = parse_header(ctx.headers.get(TRACE_HEADER, ""))
        if header is not None and not header.sampled:
            return
        resource = next((each for each in _RESOURCES if isinstance(params.get(each.parameter), str)), None)
        call = self._call(ctx, handler, error)
        if resource is not None:
            call["aws"][resource.told] = params[resource.parameter]
        document = _application(ctx, call) if header is None else self._served(call, header, resource)
        self._segments.add(ctx.account, ctx.region, document)

    def _call(self, ctx: Context, handler: Handler, error: WireError | None) -> dict[str, Any]:
        """Describe a call."""
        ended = ctx.now()
        call: dict[str, Any] = {
            "name": self._name,
            "id": random_bytes(8).hex(),
            "start_time": ended - (perf_counter() - ctx.started),
            "end_time": ended,
            "aws": {
                "operation": handler.name,
                "region": ctx.region,
                "request_id": ctx.request_id,
                "account_id": ctx.account,
            },
        }
        if error is not None:
            status = error.status or 400
            call["http"] = {"response": {"status": status}}
            call["fault" if status >= 500 else "error"] = True
            call["throttle"] = status == 429 or "Throttl" in error.code
            call["cause"] = {
                "exceptions": [{"id": random_bytes(8).hex(), "type": error.code, "message": error.message}]
            }
        return call

    def _served(self, call: dict[str, Any], header: TraceHeader, resource: _Resource | None) -> dict[str, Any]:
        """Return the segment of a call that belongs to a trace; it is that of the resource, where there is one."""
        segment = {**call, "trace_id": header.root, "origin": f"AWS::{self._name}"}
        if resource is not None:
            segment["name"] = _nameable(call["aws"][resource.told])
            segment["origin"] = resource.type
        if header.parent:
            segment["parent_id"] = header.parent
        return segment


def _application(ctx: Context, call: dict[str, Any]) -> dict[str, Any]:
    """Return the segment of the application that made a call by itself."""
    return {
        "name": _name_of(ctx),
        "id": random_bytes(8).hex(),
        "trace_id": f"1-{int(call['start_time']):08x}-{random_bytes(12).hex()}",
        "start_time": call["start_time"],
        "end_time": call["end_time"],
        "subsegments": [{**call, "namespace": "aws"}],
    }


def _name_of(ctx: Context) -> str:
    found = _APPLICATION.search(ctx.headers.get("user-agent", ""))
    return _nameable(found[1] if found else ctx.principal.arn.rpartition(":")[2] or ctx.principal.kind)


def _nameable(name: str) -> str:
    """Return a name with the characters that names of segments may have."""
    return _UNNAMEABLE.sub("_", name)[:_LONGEST_NAME]
