"""The segments of functions in X-Ray.

Developer guide, "Visualize Lambda function invocations using AWS X-Ray": an invocation that is sampled makes a segment
of the service, `AWS::Lambda`, and one of the function, `AWS::Lambda::Function`, with its phases.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.core.telemetry.segments import find_segments
from cloudlet.core.telemetry.tracing import parse_header
from cloudlet.services.lambda_.execution.invocation import Invocation, Outcome
from cloudlet.services.lambda_.functions.function import Version

_SHARE = 0.05
"""Of the invocations beyond the first of a second so many are sampled, where nobody has decided that before."""
_MOST_PASSES = 16
_LONGEST_LINEAGE = 10
_LINEAGE = re.compile(r"Lineage=((?:[0-9a-f]{8}:\d{1,5})(?:\|[0-9a-f]{8}:\d{1,5})*)")


@dataclass(slots=True)
class Trace:
    """The part of a trace that one invocation makes."""

    root: str
    parent: str
    sampled: bool
    service: str
    """The id of the service's segment."""
    function: str
    """The id of the function's segment, which is the parent of whatever the function tells itself."""
    began: float
    lineage: tuple[tuple[str, int], ...]
    """Which functions this chain of invocations came through, by a hash of their names, and how often."""
    is_recursive: bool
    """Whether it came through this function more often than is good."""

    @property
    def header(self) -> str:
        """What the function gets."""
        lineage = "|".join(f"{name}:{count}" for name, count in self.lineage)
        return f"Root={self.root};Parent={self.function};Sampled={int(self.sampled)};Lineage={lineage}"


_second: dict[tuple[str, str, str], int] = {}
"""Account, region and name of a function → the last second in which an invocation was sampled."""
_MOST_FUNCTIONS = 10_000


def begin(block: Block, version: Version, header: str) -> Trace:
    """Return the trace of an invocation that begins: that of its caller, or a new one."""
    now = block.clock.now()
    told = parse_header(header)
    root = f"1-{int(now):08x}-{random_bytes(12).hex()}" if told is None else told.root
    if told is not None and "Sampled=" in header:
        sampled = told.sampled
    else:
        sampled = version.tracing == "Active" and _is_sampled(version, int(now))
    parent = "" if told is None else told.parent
    lineage, count = _lengthened(header, version)
    service, function = random_bytes(8).hex(), random_bytes(8).hex()
    return Trace(root, parent, sampled, service, function, now, lineage, count > _MOST_PASSES)


def lineage(header: str) -> str:
    """Return the part of a header that says which functions a chain of invocations came through; empty for none."""
    match = _LINEAGE.search(header)
    return "" if match is None else match[0]


def passes(header: str, version: Version) -> int:
    """Return how often a chain of invocations would have come through a function, if it came there once more."""
    return _lengthened(header, version)[1]


def loops(header: str, version: Version) -> bool:
    """Whether a chain of invocations comes through a function more often than is good."""
    return passes(header, version) > _MOST_PASSES


def was_stopped(header: str, version: Version) -> bool:
    """Whether a chain of invocations was stopped at a function already."""
    return passes(header, version) > _MOST_PASSES + 1


def _lengthened(header: str, version: Version) -> tuple[tuple[tuple[str, int], ...], int]:
    """Return the lineage in a header with a function added, and how often the function is in it.

    Developer guide, "Use Lambda recursive loop detection".
    """
    match = _LINEAGE.search(header)
    passed = (
        {}
        if match is None
        else {name: int(count) for name, _, count in (p.partition(":") for p in match[1].split("|"))}
    )
    name = f"{crc32(version.place.arn.encode()):08x}"
    count = passed.pop(name, 0) + 1
    return ((*list(passed.items())[-_LONGEST_LINEAGE:], (name, count))), count


def _is_sampled(version: Version, second: int) -> bool:
    place = version.place
    key = (place.account, place.region, place.name)
    if _second.get(key) != second:
        if len(_second) >= _MOST_FUNCTIONS:
            _second.clear()
        _second[key] = second
        return True
    return random_bytes(1)[0] < _SHARE * 256


def end(block: Block, version: Version, trace: Trace, invocation: Invocation, outcome: Outcome) -> None:
    """Tell X-Ray of an invocation, if it is sampled."""
    exporter = find_segments(block)
    if not trace.sampled or exporter is None:
        return
    place = version.place
    prepared = outcome.init + outcome.restore
    ended = trace.began + prepared + outcome.duration
    common: dict[str, Any] = {"name": place.name, "trace_id": trace.root, "start_time": trace.began, "end_time": ended}
    failed = {"fault": True} if outcome.error else {}
    service = {
        **common,
        **failed,
        "id": trace.service,
        "origin": "AWS::Lambda",
        "resource_arn": place.arn,
        "http": {"response": {"status": 200}},
        "aws": {"request_id": invocation.request_id},
    }
    if trace.parent:
        service["parent_id"] = trace.parent
    started = trace.began + prepared
    phases = [{"name": "Invocation", "id": random_bytes(8).hex(), "start_time": started, "end_time": ended, **failed}]
    if prepared:
        name = "Initialization" if outcome.init else "Restore"
        phases.insert(0, {"name": name, "id": random_bytes(8).hex(), "start_time": trace.began, "end_time": started})
    function = {
        **common,
        **failed,
        "id": trace.function,
        "parent_id": trace.service,
        "origin": "AWS::Lambda::Function",
        "resource_arn": place.arn,
        "aws": {"function_arn": version.arn, "request_id": invocation.request_id},
        "subsegments": phases,
    }
    for segment in (service, function):
        exporter.add(place.account, place.region, segment)
