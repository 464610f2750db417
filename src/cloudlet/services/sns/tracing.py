"""Active tracing: what topics tell X-Ray of messages that belong to a trace, and what subscribers are told of it.

Developer guide, "Active tracing in Amazon SNS": a topic whose TracingConfig is Active tells the account that owns it of
each message whose trace is sampled, in a segment, and of its deliveries to queues, functions and HTTP endpoints, in
subsegments. These are the parents of what subscribers do. Their ids follow from those of messages and subscriptions, so
that nothing has to be remembered.
"""

from __future__ import annotations

from hashlib import sha256
from time import perf_counter
from typing import Any, Final
from urllib.parse import urlsplit

from cloudlet.core import Arn, Context
from cloudlet.core.aws.messages import queue_url
from cloudlet.core.host import url_passwords
from cloudlet.core.kernel.block import Block
from cloudlet.core.telemetry.segments import find_segments
from cloudlet.core.telemetry.tracing import parse_header
from cloudlet.services.sns import errors
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic_record import Topic
from cloudlet.services.sns.undeliverable import Undeliverable

_ORIGIN: Final = "AWS::SNS"


def is_active(topic: Topic, header: str | None) -> bool:
    """Whether a topic tells X-Ray of messages with a trace header."""
    if header is None or topic.attributes.get("TracingConfig") != "Active":
        return False
    return "Sampled=1" in [part.strip() for part in header.split(";")] and parse_header(header) is not None


def check_possible(ctx: Context, config: str | None) -> None:
    """Raise AwsError for active tracing where there is no X-Ray."""
    if config == "Active" and find_segments(ctx.block) is None:
        raise errors.not_built("TracingConfig Active where X-Ray is not enabled (--services)")


def header_of(message: Message, subscribed: Subscription) -> str | None:
    """Return the trace header that a subscriber gets with a message; the delivery is the parent where X-Ray is told."""
    if message.trace is None or not message.traced:
        return message.trace
    parts = [part.strip() for part in message.trace.split(";")]
    kept = [part for part in parts if part and not part.startswith(("Root=", "Parent=", "Sampled="))]
    root = next(part for part in parts if part.startswith("Root="))
    return ";".join([root, f"Parent={_id(message, subscribed.id)}", "Sampled=1", *kept])


def published(ctx: Context, topic: Topic, messages: list[Message]) -> None:
    """Tell of messages that were accepted."""
    segments = find_segments(ctx.block)
    if segments is None:
        return
    for message in messages:
        trace = None if message.trace is None or not message.traced else parse_header(message.trace)
        if trace is None:
            continue
        now = ctx.now()
        document = {
            "name": topic.arn,
            "id": _id(message),
            "trace_id": trace.root,
            "start_time": now - (perf_counter() - ctx.started),
            "end_time": now,
            "origin": _ORIGIN,
            "aws": {
                "account_id": topic.account,
                "message_id": message.id,
                "operation": "Publish",
                "region": topic.region,
                "request_id": ctx.request_id,
                "topic_arn": topic.arn,
            },
        }
        if trace.parent:
            document["parent_id"] = trace.parent
        segments.add(topic.account, topic.region, document)


def delivered(
    block: Block,
    topic: Topic,
    subscribed: Subscription,
    message: Message,
    outcome: Undeliverable | None,
    began: float,
) -> None:
    """Tell of a delivery that is settled; `began` is when its last attempt did, in seconds since the epoch."""
    trace = None if message.trace is None or not message.traced else parse_header(message.trace)
    target = _target(block, subscribed)
    segments = find_segments(block)
    if trace is None or target is None or segments is None:
        return
    document: dict[str, Any] = {
        **target,
        "type": "subsegment",
        "id": _id(message, subscribed.id),
        "parent_id": _id(message),
        "trace_id": trace.root,
        "start_time": began,
        "end_time": block.clock.now(),
    }
    if outcome is not None:
        status = outcome.status
        document["error" if status is not None and status < 500 else "fault"] = True
        if status is not None and "http" in document:
            document["http"]["response"] = {"status": status}
        cause = {"id": _id(message, f"{subscribed.id}:cause"), "message": outcome.reason, "type": "Undeliverable"}
        document["cause"] = {"exceptions": [cause]}
    segments.add(topic.account, topic.region, document)


def _target(block: Block, subscribed: Subscription) -> dict[str, Any] | None:
    """Describe the call that a delivery is, None for one to whom is not traced."""
    if subscribed.protocol in ("http", "https"):
        url = url_passwords.masked(subscribed.endpoint)
        host = urlsplit(subscribed.endpoint).hostname or "endpoint"
        return {"name": host, "namespace": "remote", "http": {"request": {"method": "POST", "url": url}}}
    if subscribed.protocol == "sqs":
        queue = Arn.parse(subscribed.endpoint)
        called = {"operation": "SendMessage", "region": queue.region, "queue_url": queue_url(block, queue)}
        return {"name": "SQS", "namespace": "aws", "aws": called}
    if subscribed.protocol == "lambda":
        function = Arn.parse(subscribed.endpoint)
        called = {
            "operation": "Invoke",
            "region": function.region,
            "function_name": function.resource.partition(":")[2],
        }
        return {"name": "Lambda", "namespace": "aws", "aws": called}
    return None


def _id(message: Message, of: str = "") -> str:
    """Return the id of a message's segment, or of the subsegment of its delivery to a subscription."""
    return sha256(f"{message.id}/{message.topic}/{of}".encode(), usedforsecurity=False).hexdigest()[:16]
