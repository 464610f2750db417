"""What each service does for an order, told to AWS X-Ray, so that an order's way can be seen as one trace.

A trace is handed on by a header: in HTTP requests, in messages of SQS, in the order's row. Who does something for the
order makes a segment that has the sender's as its parent (X-Ray Developer Guide, "Tracing header" and "Segment
documents"). That an order is handled never depends on X-Ray: what cannot be told is said, and dropped.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

HEADER = "X-Amzn-Trace-Id"

_xray = boto3.client("xray", config=Config(connect_timeout=1, read_timeout=1, retries={"total_max_attempts": 1}))
_current: ContextVar[str | None] = ContextVar("trace", default=None)


def begin() -> str:
    """Return the header of a new trace."""
    return f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)};Sampled=1"


def header() -> str | None:
    """Return what the next one in the trace is to get, or None where there is no trace."""
    # Lambda has its own way to tell a function of its trace, and boto3 hands that on by itself.
    return _current.get() or os.environ.get("_X_AMZN_TRACE_ID")


def headers() -> dict[str, str]:
    """Return the headers of an HTTP request that belongs to the trace."""
    found = header()
    return {HEADER: found} if found else {}


@contextmanager
def segment(name: str, received: str | None, **annotations: str) -> Iterator[None]:
    """Have what happens inside be a segment of the trace whose header was received, if any.

    A trace can be found by the annotations of its segments. An exception makes the segment one that has failed.
    """
    fields = dict(part.strip().partition("=")[::2] for part in (received or "").split(";"))
    if fields.get("Sampled") != "1":
        yield
        return
    document: dict[str, Any] = {
        "name": name,
        "id": secrets.token_hex(8),
        "trace_id": fields["Root"],
        "annotations": annotations,
        "start_time": time.time(),
    }
    if "Parent" in fields:
        document["parent_id"] = fields["Parent"]
    before = _current.set(f"Root={fields['Root']};Parent={document['id']};Sampled=1")
    try:
        yield
    except Exception:
        document["fault"] = True
        raise
    finally:
        _current.reset(before)
        _tell(document | {"end_time": time.time()})


def carried_by(client: Any) -> Any:
    """Have the calls of a boto3 client belong to the trace in which they are made; return the client."""

    def add(params: dict[str, Any], **_: Any) -> None:
        params["headers"].update(headers())

    client.meta.events.register("before-call", add)
    return client


def _tell(document: dict[str, Any]) -> None:
    try:
        _xray.put_trace_segments(TraceSegmentDocuments=[json.dumps(document)])
    except (BotoCoreError, ClientError) as error:
        print(f"cannot tell X-Ray: {error}")
