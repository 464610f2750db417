"""One order's way through the shop, as AWS X-Ray has put it together from what each one told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

Segment = dict[str, Any]


def segments(xray: Any, order_id: str) -> list[Segment]:
    """Return the segments of the trace in which an order was taken, as far as they are there by now."""
    now = datetime.now(UTC)
    found = xray.get_trace_summaries(
        StartTime=now - timedelta(hours=1), EndTime=now + timedelta(minutes=1), FilterExpression=_taken(order_id)
    )
    ids = [summary["Id"] for summary in found["TraceSummaries"]]
    if not ids:
        return []
    [trace] = xray.batch_get_traces(TraceIds=ids)["Traces"]
    return [json.loads(segment["Document"]) for segment in trace["Segments"]]


def _taken(order_id: str) -> str:
    # Who was refused, or asked again, has an order's id in his trace too, but nothing came of it.
    return f'annotation[order] = "{order_id}" AND service("outbox")'


def drawn(segments: list[Segment]) -> Iterator[str]:
    """Draw a trace as a tree: who called whom, when after the beginning, and for how long."""
    began = min(segment["start_time"] for segment in segments)
    children: dict[str, list[Segment]] = {}
    for segment in segments:
        children.setdefault(segment.get("parent_id", ""), []).append(segment)

    def draw(segment: Segment, depth: int) -> Iterator[str]:
        # A topic has its ARN for a name.
        name = f"{'  ' * depth}{segment['name'].rpartition(':')[2]}"
        after = 1000 * (segment["start_time"] - began)
        lasted = 1000 * (segment.get("end_time", segment["start_time"]) - segment["start_time"])
        kind = segment.get("origin", "") + (" failed" if segment.get("fault") else "")
        yield f"{name:<38} {after:>6.0f} ms {lasted:>6.0f} ms  {kind}".rstrip()
        below = segment.get("subsegments", []) + children.get(segment["id"], [])
        for each in sorted(below, key=lambda segment: segment["start_time"]):
            yield from draw(each, depth + 1)

    for root in roots(segments):
        yield from draw(root, 0)


def roots(segments: list[Segment]) -> list[Segment]:
    """Return the segments whose parents are not there: in a trace that is whole, the one of who began it."""
    ids = {each["id"] for segment in segments for each in _within(segment)}
    return [segment for segment in segments if segment.get("parent_id") not in ids]


def _within(segment: Segment) -> Iterator[Segment]:
    """Yield a segment and all its subsegments."""
    yield segment
    for each in segment.get("subsegments", []):
        yield from _within(each)
