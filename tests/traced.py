"""Clients whose requests belong to a trace, as those of X-Ray's SDKs and of boto3 in a function do."""

from __future__ import annotations

from typing import Any

from cloudlet.testing.server import Aws

TRACE = "Root=1-5e3d83c1-e6a0db584850d61342823d4c;Parent=53995c3f42cd8ad8;Sampled=1"


def traced(aws: Aws, service: str, header: str = TRACE) -> Any:
    """Return a client that sends a trace header with each request."""
    client = aws.client(service)

    def add(request: Any, **_: Any) -> None:
        request.headers["X-Amzn-Trace-Id"] = header

    client.meta.events.register("before-sign.*.*", add)
    return client


def trace_of(sqs: Any, url: str) -> str | None:
    """Receive a message, which must come, and return the trace header that it has."""
    answer = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20, MessageSystemAttributeNames=["AWSTraceHeader"])
    (message,) = answer["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    found: str | None = message.get("Attributes", {}).get("AWSTraceHeader")
    return found
