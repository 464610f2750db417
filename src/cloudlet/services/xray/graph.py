"""The graph of services: what they served, and what they called.

API reference, "GetServiceGraph" and "GetTraceGraph". A client from outside is a service of the type `client`, one for
each service that it calls.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cloudlet.services.xray.statistics import Statistics
from cloudlet.services.xray.trace import Call, Entity, Node, Trace

_CLIENT = "client"
_MOST_PARTS = 10_000
Key = tuple[Node, bool]
"""A service, or the client that calls it."""


@dataclass(slots=True)
class _Seen:
    """When, and with what outcome, something was seen."""

    start: float = float("inf")
    end: float = 0.0
    statistics: Statistics = field(default_factory=Statistics)

    def see(self, entity: Entity, *, counted: bool = True) -> None:
        self.start = min(self.start, entity.start)
        self.end = max(self.end, entity.start if entity.end is None else entity.end)
        if counted:
            self.statistics.count(entity)

    def shown(self) -> dict[str, Any]:
        return {"StartTime": self.start, "EndTime": self.end}


@dataclass(slots=True)
class _Service:
    seen: _Seen = field(default_factory=_Seen)
    is_root: bool = False
    edges: dict[Key, _Seen] = field(default_factory=dict)


class Graph:
    """A graph that grows by traces. Its size is that of the application, not of the traces."""

    def __init__(self) -> None:
        self._services: dict[Key, _Service] = {}
        self._edges = 0

    @property
    def is_full(self) -> bool:
        """Whether it has so many services and edges that no more traces are counted."""
        return len(self._services) + self._edges >= _MOST_PARTS

    def add(self, trace: Trace) -> None:
        """Count what a trace did."""
        for node in trace.nodes():
            service = self._services.setdefault((node, False), _Service())
            for entity in trace.served(node):
                service.seen.see(entity)
        for call in trace.calls():
            self._add_call(call)

    def _add_call(self, call: Call) -> None:
        called = (call.called, False)
        caller = (call.called, True) if call.caller is None else (call.caller, False)
        service = self._services.setdefault(caller, _Service())
        if call.caller is None:
            service.seen.see(call.entity, counted=False)
            self._services[called].is_root = True
        if called not in service.edges:
            service.edges[called] = _Seen()
            self._edges += 1
        service.edges[called].see(call.entity)

    def shown(self) -> list[dict[str, Any]]:
        """Return it as a list of the API's Service."""
        ids = {key: index for index, key in enumerate(self._services)}
        return [
            {
                "ReferenceId": ids[key],
                **(_client(key[0]) if key[1] else _served(key[0], service)),
                "State": "active" if not key[1] else None,
                **service.seen.shown(),
                "Edges": [_edge(ids[target], seen) for target, seen in service.edges.items()],
            }
            for key, service in self._services.items()
        ]


def _client(called: Node) -> dict[str, Any]:
    return {"Name": called.name, "Names": [called.name], "Type": _CLIENT}


def _served(node: Node, service: _Service) -> dict[str, Any]:
    statistics = service.seen.statistics
    histogram = statistics.histogram()
    return {
        **node.shown(),
        "Root": service.is_root or None,
        "SummaryStatistics": statistics.shown(),
        "DurationHistogram": histogram,
        "ResponseTimeHistogram": histogram,
    }


def _edge(target: int, seen: _Seen) -> dict[str, Any]:
    return {
        "ReferenceId": target,
        **seen.shown(),
        "SummaryStatistics": seen.statistics.shown(),
        "ResponseTimeHistogram": seen.statistics.histogram(),
        "Aliases": [],
    }
