"""A trace, put together from its segments: what called what, and which services they belong to.

Developer guide, "AWS X-Ray concepts" and "AWS X-Ray segment documents". A segment is work of the service whose name it
has. A subsegment of a namespace (`aws`, `remote`) is a call; where the called service sent no segment, one is inferred.
SDKs give `local` to those that are none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cloudlet.services.xray.document import Document

_CALLED = ("aws", "remote")


class Node(NamedTuple):
    """A service, as maps show it."""

    name: str
    type: str
    account: str

    def shown(self) -> dict[str, Any]:
        """Return it as a ServiceId."""
        return {"Name": self.name, "Names": [self.name], "AccountId": self.account, "Type": self.type or None}


@dataclass(slots=True, eq=False)
class Entity:
    """A segment or a subsegment, in its place in the trace."""

    raw: dict[str, Any]
    node: Node
    parent: Entity | None = None
    children: list[Entity] = field(default_factory=list)
    is_segment: bool = False
    called: Node | None = None
    """The service that a subsegment calls; None where it is local work."""
    is_inferred: bool = False
    """Whether the called service sent no segment of its own."""

    @property
    def name(self) -> str:
        return str(self.raw["name"])

    @property
    def start(self) -> float:
        return float(self.raw["start_time"])

    @property
    def end(self) -> float | None:
        end = self.raw.get("end_time")
        return None if end is None else float(end)

    @property
    def duration(self) -> float:
        """In seconds; 0 while it is in progress."""
        return 0.0 if self.end is None else self.end - self.start

    @property
    def status(self) -> int | None:
        status: int | None = self._http("response").get("status")
        return status

    @property
    def request(self) -> dict[str, Any]:
        return self._http("request")

    def _http(self, part: str) -> dict[str, Any]:
        return (self.raw.get("http") or {}).get(part) or {}

    @property
    def has_fault(self) -> bool:
        return bool(self.raw.get("fault")) or 500 <= (self.status or 0) < 600

    @property
    def has_throttle(self) -> bool:
        return bool(self.raw.get("throttle")) or self.status == 429

    @property
    def has_error(self) -> bool:
        return bool(self.raw.get("error")) or 400 <= (self.status or 0) < 500 or self.has_throttle

    @property
    def is_ok(self) -> bool:
        return not (self.has_fault or self.has_error)

    @property
    def is_remote(self) -> bool:
        return self.called is not None

    def path(self) -> list[Entity]:
        """Return it and what is above it, the highest first."""
        found = [self]
        while (above := found[-1].parent) is not None:
            found.append(above)
        return found[::-1]

    def work(self) -> list[Entity]:
        """Return it and what belongs to its own service below it."""
        return list(_walk(self, own=True))

    def exceptions(self) -> list[dict[str, Any]]:
        """Return the names and messages of the exceptions that it tells as its cause."""
        cause = self.raw.get("cause")
        found = cause.get("exceptions") if isinstance(cause, dict) else None
        if not isinstance(found, list):
            return []
        return [
            {"Name": str(each.get("type") or ""), "Message": str(each.get("message") or "")}
            for each in found
            if isinstance(each, dict)
        ]


class Call(NamedTuple):
    """A call of one service by another; `caller` is None for that of a client from outside."""

    caller: Node | None
    called: Node
    entity: Entity
    """Whose outcome the call had: the subsegment that made it, or the segment that answered."""


class Trace:
    """A trace of an account, of one document at least. One whose parent is not known stands at the top."""

    def __init__(self, identity: str, documents: Sequence[Document], account: str) -> None:
        self.id = identity
        self.documents = sorted(documents, key=lambda each: (each.start, each.id))
        self._account = account
        self._by_id: dict[str, Entity] = {}
        tops = [self._grow(each.parsed, self._own_node(each.parsed)) for each in self.documents]
        for top in tops:
            top.is_segment = top.raw.get("type") != "subsegment"
            parent = self._by_id.get(str(top.raw.get("parent_id")))
            if parent is not None:
                top.parent = parent
                parent.children.append(top)
        self.roots = [top for top in tops if top.parent is None]
        self.entities = [entity for root in self.roots for entity in _walk(root)]
        self._cut_circles(tops)
        for entity in self.entities:
            self._settle(entity)
        self._served = self._serve()

    def _cut_circles(self, tops: Sequence[Entity]) -> None:
        """Put at the top what has itself above it, the first of each circle."""
        placed = set(self.entities)
        for top in tops:
            if top not in placed and top.parent is not None:
                top.parent.children.remove(top)
                top.parent = None
                self.roots.append(top)
                below = list(_walk(top))
                self.entities += below
                placed.update(below)

    def _own_node(self, raw: dict[str, Any]) -> Node:
        return Node(raw["name"], raw.get("origin") or "", self._account)

    def _grow(self, raw: dict[str, Any], node: Node, parent: Entity | None = None) -> Entity:
        entity = Entity(raw, node, parent)
        self._by_id.setdefault(raw["id"], entity)
        entity.children = [self._grow(part, node, entity) for part in raw.get("subsegments") or []]
        return entity

    def _settle(self, entity: Entity) -> None:
        """Say to which service an entity belongs, after the one above it, and which it calls."""
        if not entity.is_segment and entity.parent is not None:
            entity.node = entity.parent.node
        answering = [child for child in entity.children if child.is_segment]
        if not entity.is_segment and (answering or entity.raw.get("namespace") in _CALLED):
            entity.is_inferred = not answering
            entity.called = answering[0].node if answering else _inferred(entity.raw, self._account)

    def _serve(self) -> dict[Node, list[Entity]]:
        served: dict[Node, list[Entity]] = {}
        for entity in self.entities:
            if entity.is_segment:
                served.setdefault(entity.node, []).append(entity)
            if entity.called is not None:
                calls = served.setdefault(entity.called, [])
                if entity.is_inferred:
                    calls.append(entity)
        return served

    @property
    def root(self) -> Entity:
        """The segment that served the request: the first that has no parent."""
        return next((root for root in self.roots if not root.raw.get("parent_id")), self.roots[0])

    @property
    def start(self) -> float:
        return min(each.start for each in self.documents)

    @property
    def end(self) -> float:
        return max(each.start if each.end is None else each.end for each in self.documents)

    @property
    def duration(self) -> float:
        """From the first start to the last end, in seconds."""
        return self.end - self.start

    @property
    def is_partial(self) -> bool:
        """Whether something is in progress."""
        return any(entity.end is None for entity in self.entities)

    def nodes(self) -> list[Node]:
        """Return its services, those that are inferred too, each once."""
        return list(self._served)

    def served(self, node: Node) -> list[Entity]:
        """Return the work that a service did: its segments, or the calls by which it is inferred."""
        return self._served.get(node, [])

    def calls(self) -> list[Call]:
        """Return the calls that services made, and those of clients from outside."""
        found = []
        for entity in self.entities:
            if entity.called is not None:
                found.append(Call(entity.node, entity.called, entity))
            elif entity.is_segment and entity.parent is None:
                if not entity.raw.get("parent_id"):
                    found.append(Call(None, entity.node, entity))
            elif entity.is_segment and entity.parent is not None and entity.parent.is_segment:
                found.append(Call(entity.parent.node, entity.node, entity))
        return found


def _walk(entity: Entity, *, own: bool = False) -> Iterator[Entity]:
    """Give an entity and what is below it, from the top down; only what is of its own service, if so wanted."""
    waiting = [entity]
    while waiting:
        entity = waiting.pop()
        yield entity
        waiting += [child for child in reversed(entity.children) if not (own and child.is_segment)]


def _inferred(raw: dict[str, Any], account: str) -> Node:
    """Return the service that a call without an answer's segment went to."""
    aws = raw.get("aws") or {}
    if raw.get("sql"):
        return Node(raw["name"], f"Database::{raw['sql'].get('database_type') or 'SQL'}", account)
    if raw["namespace"] != "aws":
        return Node(raw["name"], "remote", account)
    for member, kind in (("table_name", "AWS::DynamoDB::Table"), ("queue_url", "AWS::SQS::Queue")):
        if isinstance(aws.get(member), str) and aws[member]:
            return Node(aws[member], kind, account)
    return Node(raw["name"], f"AWS::{raw['name']}", account)
