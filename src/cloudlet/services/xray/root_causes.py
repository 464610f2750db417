"""Root causes: the ways through a trace that end where a fault, an error or a delay began.

API reference, "FaultRootCause", "ErrorRootCause" and "ResponseTimeRootCause": the services on the way, and of each the
entities on the way. A way to a delay follows, at each step, the child that took at least half of its parent's time.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby, islice
from typing import Any, Literal

from cloudlet.services.xray.trace import Entity, Trace

Kind = Literal["fault", "error", "responsetime"]
_MOST = 10
_SHARE = 0.5


def paths(trace: Trace, kind: Kind) -> list[list[Entity]]:
    """Return the ways of a kind, each from the top of the trace down."""
    if kind == "responsetime":
        return [_slowest(trace.root)]
    failed: Callable[[Entity], bool] = (lambda e: e.has_fault) if kind == "fault" else (lambda e: e.has_error)
    lowest = (
        entity for entity in trace.entities if failed(entity) and not any(failed(child) for child in entity.children)
    )
    return [entity.path() for entity in islice(lowest, _MOST)]


def _slowest(entity: Entity) -> list[Entity]:
    way = [entity]
    while way[-1].children:
        slow = max(way[-1].children, key=lambda child: child.duration)
        if not 0 < way[-1].duration * _SHARE <= slow.duration:
            break
        way.append(slow)
    return way


def to_api(trace: Trace, kind: Kind) -> list[dict[str, Any]]:
    """Return the root causes of a kind as the API shows them."""
    impacting = {"fault": trace.root.has_fault, "error": trace.root.has_error, "responsetime": True}[kind]
    return [
        {
            "Services": [
                *(_service(trace, kind, list(part)) for _, part in groupby(path, key=lambda entity: entity.node)),
                *_inferred(trace, kind, path[-1]),
            ],
            "ClientImpacting": impacting,
        }
        for path in paths(trace, kind)
    ]


def _service(trace: Trace, kind: Kind, part: list[Entity]) -> dict[str, Any]:
    return {
        **part[0].node.shown(),
        "EntityPath": [_entity(trace, kind, entity) for entity in part],
        # Clients may send segments for services that they inferred themselves.
        "Inferred": bool(part[0].raw.get("inferred")),
    }


def _inferred(trace: Trace, kind: Kind, last: Entity) -> list[dict[str, Any]]:
    """Return the service that a way ends in, where it sent no segment of its own."""
    if not last.is_inferred or last.called is None:
        return []
    entity = {**_entity(trace, kind, last), "Name": last.called.name}
    return [{**last.called.shown(), "EntityPath": [entity], "Inferred": True}]


def _entity(trace: Trace, kind: Kind, entity: Entity) -> dict[str, Any]:
    shown = {"Name": entity.name, "Remote": entity.is_remote}
    if kind == "responsetime":
        return {**shown, "Coverage": coverage(trace, entity)}
    return {**shown, "Exceptions": entity.exceptions()}


def coverage(trace: Trace, entity: Entity) -> float:
    """Return an entity's time as a part of the root segment's."""
    whole = trace.root.duration
    return min(1.0, entity.duration / whole) if whole else 0.0
