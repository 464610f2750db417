"""Whether a filter expression holds of a trace.

Keywords alone are about the request as its root segment served it; in the braces of `service`, `edge` and `rootcause`
about the entity in question. Where there are several values (users, annotations), `!=` means that none is equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from cloudlet.core.aws.logic import All, AnyOf, Not
from cloudlet.services.xray import root_causes, summary
from cloudlet.services.xray.filter_grammar import (
    AnnotationTest,
    Causes,
    Edges,
    Filter,
    JsonCauses,
    Selector,
    Services,
    Test,
    Value,
)
from cloudlet.services.xray.root_causes import Kind
from cloudlet.services.xray.trace import Entity, Node, Trace

_OF_GROUPS = frozenset({"group.name", "group.arn"})
Groups = Mapping[str, "Filter | None"]
"""The names and ARNs of groups, and what their traces have in common."""


@dataclass(frozen=True, slots=True)
class _Subject:
    """What a filter is about: a trace, or one of its entities, which may have a place on a way to a root cause."""

    trace: Trace
    groups: Groups
    entity: Entity | None = None
    index: int | None = None
    length: int = 0

    @property
    def served(self) -> Entity:
        return self.trace.root if self.entity is None else self.entity

    @property
    def entities(self) -> list[Entity]:
        """Whose values count: of a service, all that it did; on a way to a root cause, the entity alone."""
        if self.entity is None:
            return self.trace.entities
        return self.entity.work() if self.entity.is_segment and self.index is None else [self.entity]


def size(filter: Filter | None, groups: Groups) -> int:
    """Return of how many parts a filter is, those of groups that it asks for too."""
    match filter:
        case All(parts) | AnyOf(parts):
            return sum([size(part, groups) for part in parts])
        case Not(part):
            return size(part, groups)
        case Test(keyword, _, value) if keyword in _OF_GROUPS:
            return 1 + size(groups.get(str(value)), {})
        case Services(_, inner) | Edges(_, _, inner) | Causes(_, _, inner):
            return 1 + size(inner, groups)
        case None:
            return 0
    return 1


def asks_for_groups(filter: Filter | None) -> bool:
    """Whether it depends on the filters of groups whether a filter holds."""
    match filter:
        case All(parts) | AnyOf(parts):
            return any(map(asks_for_groups, parts))
        case Not(inner) | Services(_, inner) | Edges(_, _, inner) | Causes(_, _, inner):
            return asks_for_groups(inner)
        case Test(keyword):
            return keyword in _OF_GROUPS
    return False


def holds(filter: Filter | None, trace: Trace, groups: Groups) -> bool:
    """Whether a filter holds of a trace; no filter holds of all."""
    return filter is None or _holds(filter, _Subject(trace, groups))


def _holds(filter: Filter, subject: _Subject) -> bool:
    match filter:
        case All(parts):
            return all(_holds(part, subject) for part in parts)
        case AnyOf(parts):
            return any(_holds(part, subject) for part in parts)
        case Not(part):
            return not _holds(part, subject)
        case Test(keyword, operator, value) if keyword in _OF_GROUPS:
            found = subject.groups.get(str(value))
            inside = found is None or _holds(found, _Subject(subject.trace, {}))
            return (str(value) in subject.groups and inside) == (operator == "=")
        case Test(keyword, operator, value):
            return _compare(_values(keyword, subject), operator, value)
        case AnnotationTest(key, operator, value):
            return _compare(_annotations(key, subject), operator, value)
        case Services() | Edges():
            return bool(_selected(filter, subject))
        case JsonCauses(causes):
            told = [cause for kind in _KINDS.values() for cause in root_causes.to_api(subject.trace, kind)]
            return isinstance(causes, list) and all(any(_is_like(each, cause) for cause in told) for each in causes)
        case Causes(kind, of, inner):
            return _any_cause(_KINDS[kind], of, inner, subject)


def selected(wanted: Services | Edges, trace: Trace) -> list[Entity]:
    """Return the requests to services, or the calls between them, that are meant and of which the filter holds."""
    return _selected(wanted, _Subject(trace, {}))


def _selected(wanted: Services | Edges, subject: _Subject) -> list[Entity]:
    trace = subject.trace
    if isinstance(wanted, Services):
        meant = [entity for node in trace.nodes() if _means(wanted.selector, node) for entity in trace.served(node)]
    else:
        meant = [
            call.entity
            for call in trace.calls()
            if call.caller is not None and _means(wanted.source, call.caller) and _means(wanted.target, call.called)
        ]
    return [entity for entity in meant if _inside(wanted.filter, subject, entity)]


_KINDS: dict[str, Kind] = {"fault": "fault", "error": "error", "responsetime": "responsetime"}


def _inside(inner: Filter | None, subject: _Subject, entity: Entity) -> bool:
    return inner is None or _holds(inner, _Subject(subject.trace, subject.groups, entity))


def _any_cause(kind: Kind, of: str, inner: Filter | None, subject: _Subject) -> bool:
    for path in root_causes.paths(subject.trace, kind):
        if of == "service":
            way = [path[0]] + [entity for above, entity in pairwise(path) if entity.node != above.node]
            # An inferred service has no segment: the call is what is known of it.
            way += path[-1:] if path[-1].is_inferred else []
        elif of == "exception":
            way = [entity for entity in path for _ in entity.exceptions()]
        else:
            way = path
        for index, entity in enumerate(way):
            if inner is None or _holds(inner, _Subject(subject.trace, subject.groups, entity, index, len(way))):
                return True
    return False


def _is_like(wanted: Any, found: Any) -> bool:
    """Whether something has all members that are written down, and lists as long."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(key in found and _is_like(wanted[key], found[key]) for key in wanted)
    if isinstance(wanted, list):
        return isinstance(found, list) and len(wanted) == len(found) and all(map(_is_like, wanted, found))
    return bool(wanted == found)


def _means(selector: Selector, node: Node) -> bool:
    return (
        selector.name in (None, node.name)
        and selector.type in (None, node.type)
        and selector.account in (None, node.account)
    )


def _compare(values: list[Value], operator: str | None, wanted: Value) -> bool:
    if operator is None:
        return any(value is not False for value in values)
    if operator == "!=":
        return not _compare(values, "=", wanted)
    return any(_is(value, operator, wanted) for value in values if _kind(value) is _kind(wanted))


def _kind(value: Value) -> type:
    return float if isinstance(value, int | float) and not isinstance(value, bool) else type(value)


def _is(value: Value, operator: str, wanted: Value) -> bool:
    if isinstance(value, str) and isinstance(wanted, str):
        match operator:
            case "CONTAINS":
                return wanted in value
            case "BEGINSWITH":
                return value.startswith(wanted)
            case "ENDSWITH":
                return value.endswith(wanted)
        return value == wanted
    if isinstance(value, str) or isinstance(wanted, str):
        return False
    match operator:
        case "<":
            return value < wanted
        case "<=":
            return value <= wanted
        case ">":
            return value > wanted
        case ">=":
            return value >= wanted
    return value == wanted


def _annotations(key: str, subject: _Subject) -> list[Value]:
    return [
        entity.raw["annotations"][key] for entity in subject.entities if key in (entity.raw.get("annotations") or {})
    ]


def _values(keyword: str, subject: _Subject) -> list[Value]:
    served, trace = subject.served, subject.trace
    match keyword:
        case "ok":
            return [served.is_ok]
        case "error":
            return [served.has_error]
        case "throttle":
            return [served.has_throttle]
        case "fault":
            return [served.has_fault]
        case "partial":
            return [trace.is_partial if subject.entity is None else served.end is None]
        case "inferred":
            return [any(entity.is_inferred or bool(entity.raw.get("inferred")) for entity in subject.entities)]
        case "remote":
            return [served.is_remote]
        case "root":
            return [served is trace.root]
        case "first":
            return [] if subject.index is None else [subject.index == 0]
        case "last":
            return [] if subject.index is None else [subject.index == subject.length - 1]
        case "index":
            return [] if subject.index is None else [float(subject.index)]
        case "coverage":
            return [root_causes.coverage(trace, served)]
        case "responsetime":
            return [served.duration]
        case "duration":
            return [trace.duration if subject.entity is None else served.duration]
        case "http.status":
            return [] if served.status is None else [float(served.status)]
        case "name":
            return _names(subject)
        case "message":
            return [each["Message"] for entity in subject.entities for each in entity.exceptions()]
        case "type":
            return [node.type for node in _nodes(subject)]
    return _texts(keyword, subject)


_REQUEST = {
    "http.url": "url",
    "http.method": "method",
    "http.useragent": "user_agent",
    "http.clientip": "client_ip",
}


def _texts(keyword: str, subject: _Subject) -> list[Value]:
    if keyword in _REQUEST:
        text = subject.served.request.get(_REQUEST[keyword])
        return [text] if isinstance(text, str) else []
    found: list[str | None] = []
    for entity in subject.entities:
        match keyword:
            case "user":
                found.append(entity.raw.get("user"))
            case "resource.arn":
                found.append(entity.raw.get("resource_arn"))
            case "availabilityzone":
                found.append(summary.ec2_of(entity, "availability_zone"))
            case "instance.id":
                found.append(summary.ec2_of(entity, "instance_id"))
    return [text for text in found if text]


def _names(subject: _Subject) -> list[Value]:
    exceptions = [each["Name"] for entity in subject.entities for each in entity.exceptions()]
    if subject.entity is None:
        return [*(node.name for node in subject.trace.nodes()), *exceptions]
    inferred = [subject.entity.called.name] if subject.entity.is_inferred and subject.entity.called else []
    return [subject.entity.name, *inferred, *exceptions]


def _nodes(subject: _Subject) -> list[Node]:
    if subject.entity is None:
        return subject.trace.nodes()
    return [subject.entity.called or subject.entity.node]
