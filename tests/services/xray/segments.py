"""Segments for tests, and calls that fail."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any


def trace_id(when: float | None = None) -> str:
    """Return a new id of a trace that begins now, or at a moment."""
    return f"1-{int(time.time() if when is None else when):08x}-{secrets.token_hex(12)}"


def segment(trace: str, name: str = "shop", *, took: float = 0.5, **members: Any) -> dict[str, Any]:
    """Return a segment of a trace that begins when the trace does."""
    start = float(int(trace.split("-")[1], 16))
    base = {"trace_id": trace, "id": secrets.token_hex(8), "name": name, "start_time": start, "end_time": start + took}
    return {key: value for key, value in {**base, **members}.items() if value is not None}


def part(of: dict[str, Any], name: str, *, took: float = 0.2, **members: Any) -> dict[str, Any]:
    """Return a subsegment of a segment."""
    start = of["start_time"]
    return {"id": secrets.token_hex(8), "name": name, "start_time": start, "end_time": start + took, **members}


def put(xray: Any, *documents: Any) -> list[dict[str, Any]]:
    """Send documents; return those that were not taken."""
    texts = [each if isinstance(each, str) else json.dumps(each) for each in documents]
    unprocessed: list[dict[str, Any]] = xray.put_trace_segments(TraceSegmentDocuments=texts)["UnprocessedTraceSegments"]
    return unprocessed
