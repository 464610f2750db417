"""OpenTelemetry's spans as segment documents.

What becomes what is as in the X-Ray exporter of the OpenTelemetry Collector, which is AWS's own way from spans to X-Ray
(developer guide, "Migrating from X-Ray instrumentation to OpenTelemetry instrumentation"; the exporter's README), with
the names of attributes of OpenTelemetry's semantic conventions, the stable ones and those before them.

A span is a segment where another process called its own: it has no parent, or serves a request, or says that its
parent is remote. All others are subsegments. A call at the top of a process is both: a subsegment, and the segment of
the service that made it.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from math import isfinite
from typing import TYPE_CHECKING, Any

from cloudlet.services.xray import stack_traces

if TYPE_CHECKING:
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

Attributes = dict[str, Any]

_SERVER, _CLIENT, _PRODUCER, _CONSUMER = 2, 3, 4, 5
_FAILED = 2
"""The code of a span's status."""
_HAS_REMOTE_PARENT = 0x200
"""Among a span's flags."""
_NOT_IN_NAMES = re.compile(r"[^\w\s.:/%&#=+\\\-@]")
_NOT_IN_KEYS = re.compile(r"[^0-9A-Za-z_]")
_LONGEST_NAME = 200
_LONGEST_ANNOTATION = 1000
_MOST_ANNOTATIONS = 50
_ANNOTATED = "aws.xray.annotations"
"""The attribute that names those that become annotations."""
_ORIGINS = {
    "aws_app_runner": "AWS::AppRunner::Service",
    "aws_ec2": "AWS::EC2::Instance",
    "aws_ecs": "AWS::ECS::Container",
    "aws_eks": "AWS::EKS::Container",
    "aws_elastic_beanstalk": "AWS::ElasticBeanstalk::Environment",
    "aws_lambda": "AWS::Lambda::Function",
}
"""By the resource's cloud.platform."""
_SQL = frozenset(
    {"db2", "derby", "hive", "ibm.db2", "mariadb", "microsoft.sql_server", "mssql", "mysql", "oracle", "oracle.db"}
    | {"other_sql", "postgresql", "sqlite", "teradata"}
)


def attributes(given: Iterable[KeyValue]) -> Attributes:
    """Return attributes by their keys."""
    return {each.key: _value(each.value) for each in given}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    match kind:
        case None:
            return None
        case "array_value":
            return [_value(each) for each in value.array_value.values]
        case "kvlist_value":
            return attributes(value.kvlist_value.values)
        case "bytes_value":
            return b64encode(value.bytes_value).decode()
        case "double_value" if not isfinite(value.double_value):
            # JSON has no such numbers.
            return str(value.double_value)
    return getattr(value, kind)


def documents(span: Span, resource: Attributes, scope: Attributes) -> Iterator[dict[str, Any]]:
    """Yield the segment documents of a span, whose ids are as W3C writes them."""
    own = _Reading(attributes(span.attributes))
    whole = _segment(span, own, _Reading(resource), scope)
    is_called = not span.parent_span_id or span.kind in (_SERVER, _CONSUMER) or bool(span.flags & _HAS_REMOTE_PARENT)
    service = _name(resource.get("service.name") or span.name)
    if not is_called:
        yield {**whole, "type": "subsegment", **_called(span, own)}
        return
    if span.kind not in (_CLIENT, _PRODUCER):
        yield {**whole, "name": service}
        return
    # The same span gives the same ids, however often it is sent.
    above = hashlib.sha256(span.span_id).hexdigest()[:16]
    shared = ("trace_id", "start_time", "end_time", "origin", "service", "user", "fault", "error", "throttle", "aws")
    yield {
        **{name: whole[name] for name in shared if name in whole},
        **({"parent_id": whole["parent_id"]} if "parent_id" in whole else {}),
        "id": above,
        "name": service,
    }
    yield {**whole, "type": "subsegment", "parent_id": above, **_called(span, own)}


class _Reading:
    """Attributes, and which of them were used."""

    def __init__(self, given: Attributes) -> None:
        self.given = given
        self.used: set[str] = set()

    def first(self, *keys: str) -> Any:
        """Return the first of some attributes that is there."""
        for key in keys:
            if self.given.get(key) is not None:
                self.used.add(key)
                return self.given[key]
        return None

    def text(self, *keys: str) -> str | None:
        """Return the first of some attributes that is there, as text."""
        value = self.first(*keys)
        return None if value is None else str(value)

    def rest(self) -> Attributes:
        return {key: value for key, value in self.given.items() if key not in self.used}


def _segment(span: Span, own: _Reading, resource: _Reading, scope: Attributes) -> dict[str, Any]:
    """Return what segments and subsegments have in common."""
    http = _http(own, is_server=span.kind == _SERVER)
    status = http.get("response", {}).get("status", 0)
    document = {
        "trace_id": span.trace_id.hex(),
        "id": span.span_id.hex(),
        "parent_id": span.parent_span_id.hex() or None,
        "start_time": span.start_time_unix_nano / 1e9,
        "end_time": span.end_time_unix_nano / 1e9,
        "origin": _ORIGINS.get(str(resource.given.get("cloud.platform"))),
        "user": own.text("enduser.id", "user.id"),
        "http": http,
        "sql": _sql(own),
        "aws": _aws(own, resource),
        "service": _present(version=resource.text("service.version")),
        "cause": _cause(span),
        "fault": (span.status.code == _FAILED and not 400 <= status < 500) or 500 <= status < 600,
        "error": 400 <= status < 500,
        "throttle": status == 429,
        "annotations": _annotations(own),
        "links": [
            {"trace_id": link.trace_id.hex(), "id": link.span_id.hex(), "attributes": attributes(link.attributes)}
            for link in span.links
        ],
    }
    document["metadata"] = _metadata(span, own, resource, scope)
    return {name: value for name, value in document.items() if value}


def _present(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _name(text: object) -> str:
    """Return text with what names of segments cannot have left out."""
    return _NOT_IN_NAMES.sub("", str(text))[:_LONGEST_NAME] or "span"


def _called(span: Span, own: _Reading) -> dict[str, Any]:
    """Return the members that say what a subsegment calls; others are work of their own service."""
    given = own.given
    if given.get("rpc.system") == "aws-api" or given.get("aws.service"):
        return {"name": _name(given.get("aws.service") or given.get("rpc.service") or span.name), "namespace": "aws"}
    if span.kind not in (_CLIENT, _PRODUCER):
        return {"name": _name(span.name)}
    database = given.get("db.namespace") or given.get("db.name")
    host = given.get("server.address") or given.get("net.peer.name") or given.get("http.host")
    name = (
        given.get("peer.service")
        or (f"{database}@{host}" if database and host else database)
        or given.get("rpc.service")
        or given.get("messaging.destination.name")
        or host
        or span.name
    )
    return {"name": _name(name), "namespace": "remote"}


def _http(own: _Reading, *, is_server: bool) -> dict[str, Any]:
    forwarded = own.text("client.address", "http.client_ip") if is_server else None
    request = _present(
        method=own.text("http.request.method", "http.method"),
        url=own.text("url.full", "http.url") or _url(own),
        user_agent=own.text("user_agent.original", "http.user_agent"),
        client_ip=forwarded or (own.text("network.peer.address", "net.sock.peer.addr") if is_server else None),
        x_forwarded_for=True if forwarded else None,
    )
    response = _present(
        status=_status(own.first("http.response.status_code", "http.status_code")),
        content_length=_whole(own.first("http.response.body.size", "http.response_content_length")),
    )
    return {name: part for name, part in (("request", request), ("response", response)) if part}


def _whole(value: object) -> int | None:
    try:
        return None if value is None else int(str(value))
    except ValueError:
        return None


def _status(value: object) -> int | None:
    status = _whole(value)
    return status if status is not None and 100 <= status < 600 else None


def _url(own: _Reading) -> str | None:
    """Return the URL of a request out of the parts that instrumentations of servers tell."""
    path = own.text("url.path", "http.target")
    if path is None:
        return None
    query = own.text("url.query")
    host = own.text("http.host", "server.address", "net.host.name") or "localhost"
    port = own.text("server.port", "net.host.port")
    scheme = own.text("url.scheme", "http.scheme") or "http"
    shown = f":{port}" if port and ":" not in host and (scheme, port) not in (("http", "80"), ("https", "443")) else ""
    return f"{scheme}://{host}{shown}{path}{f'?{query}' if query else ''}"


def _sql(own: _Reading) -> dict[str, Any]:
    system = str(own.given.get("db.system.name") or own.given.get("db.system"))
    if system not in _SQL:
        return {}
    own.used.update({"db.system.name", "db.system"})
    return _present(
        database_type=system,
        url=own.text("db.connection_string"),
        user=own.text("db.user"),
        sanitized_query=own.text("db.query.text", "db.statement"),
    )


def _aws(own: _Reading, resource: _Reading) -> dict[str, Any]:
    tables = own.first("aws.table_name", "aws.dynamodb.table_names")
    is_aws = own.given.get("rpc.system") == "aws-api"
    sdk = resource.text("telemetry.sdk.name")
    groups = resource.first("aws.log.group.names")
    return _present(
        account_id=own.text("aws.account_id") or resource.text("cloud.account.id"),
        operation=own.text("aws.operation", *(("rpc.method",) if is_aws else ())),
        region=own.text("aws.region") or (resource.text("cloud.region") if is_aws else None),
        request_id=own.text("aws.request_id", "aws.requestId"),
        queue_url=own.text("aws.queue_url", "aws.sqs.queue.url"),
        table_name=tables[0] if isinstance(tables, list) and tables else tables,
        ec2=_present(instance_id=resource.text("host.id"), availability_zone=resource.text("cloud.availability_zone"))
        or None,
        cloudwatch_logs=[{"log_group": str(group)} for group in groups] if isinstance(groups, list) else None,
        xray=None
        if sdk is None
        else _present(
            sdk=f"{sdk} for {resource.text('telemetry.sdk.language') or 'unknown'}",
            sdk_version=resource.text("telemetry.sdk.version"),
            auto_instrumentation=resource.first("telemetry.auto.version") is not None,
        ),
    )


def _cause(span: Span) -> dict[str, Any] | None:
    """Return the exceptions that a span tells of; where it failed without one, what its status says."""
    raised = [attributes(event.attributes) for event in span.events if event.name == "exception"]
    exceptions = [
        _present(
            id=hashlib.sha256(span.span_id + bytes([index % 256])).hexdigest()[:16],
            type=each.get("exception.type"),
            message=each.get("exception.message"),
            remote=span.kind == _CLIENT,
            stack=stack_traces.frames(str(each.get("exception.stacktrace") or "")) or None,
        )
        for index, each in enumerate(raised)
    ]
    if not exceptions and span.status.code == _FAILED and span.status.message:
        exceptions = [{"id": hashlib.sha256(span.span_id).hexdigest()[16:32], "message": span.status.message}]
    return {"exceptions": exceptions} if exceptions else None


def _annotations(own: _Reading) -> dict[str, Any]:
    """Return the attributes by which traces are to be found."""
    named = own.first(_ANNOTATED)
    wanted = set(map(str, named)) if isinstance(named, list) else set()
    found: dict[str, Any] = {}
    for key, value in own.given.items():
        if key not in wanted and not key.startswith("annotation."):
            continue
        shown = value if isinstance(value, bool | int | float) else str(value)[:_LONGEST_ANNOTATION]
        if value is not None and len(found) < _MOST_ANNOTATIONS:
            own.used.add(key)
            found[_NOT_IN_KEYS.sub("_", key.removeprefix("annotation."))] = shown
    return found


def _metadata(span: Span, own: _Reading, resource: _Reading, scope: Attributes) -> dict[str, Any]:
    """Return all that has no other place."""
    told = {**own.rest(), **{f"otel.resource.{key}": value for key, value in resource.given.items()}, **scope}
    events = [
        {"name": event.name, "time": event.time_unix_nano / 1e9, "attributes": attributes(event.attributes)}
        for event in span.events
        if event.name != "exception"
    ]
    if events:
        told["otel.events"] = events
    return {"default": told}
