"""Answers to questions: RFC 1034, section 4.3.2, with Route 53's aliases and policies.

They are made of names that are in memory, and nothing waits: what is not there yet is `Missing`, and the question is
answered again once that has been read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from cloudlet.services.route53 import routing
from cloudlet.services.route53.endpoints import TTL_SECONDS, is_endpoint
from cloudlet.services.route53.load_balancers import is_load_balancer
from cloudlet.services.route53.names import Labels, MalformedName, format_name, is_within, parse_name
from cloudlet.services.route53.record_set_record import RecordSet
from cloudlet.services.route53.routing import Client

NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5
MAX_CHAIN_NAMES: Final = 16
MAX_ALIAS_STEPS: Final = 16
DNSKEY_TTL_SECONDS: Final = 3600
WILDCARD: Final = b"*"
ANY: Final = "ANY"


class Missing(Exception):
    """A key that is to be read before a question can be answered."""

    def __init__(self, key: tuple[str, ...]) -> None:
        super().__init__(key)
        self.key = key


class ServedZone(NamedTuple):
    """A zone that answers."""

    account: str
    id: str
    labels: Labels
    is_signed: bool = False
    log_group: str = ""
    """The ARN of the log group that queries are told to."""


class Node(NamedTuple):
    """The record sets of a name, and whether there are names below."""

    sets: Sequence[RecordSet] = ()
    has_below: bool = False


class Names(Protocol):
    """A view of names. All methods raise Missing."""

    def find_zone(self, labels: Labels) -> ServedZone | None:
        """Return the zone with the longest name that a name is within."""

    def get_node(self, zone: str, name: str) -> Node:
        """Return what there is at a name of a zone."""

    def is_healthy(self, account: str, check: str) -> bool:
        """Whether a health check finds its endpoint healthy."""

    def get_blocks(self, account: str, collection: str) -> Mapping[str, Sequence[str]]:
        """Return the locations of a CIDR collection."""

    def get_public_keys(self, zone: str) -> Sequence[str]:
        """Return the DNSKEY records of a zone that is signed."""

    def get_endpoint(self, kind: str) -> Sequence[str]:
        """Return the addresses of Cloudlet's endpoint, of type A or AAAA."""

    def find_balancer_addresses(self, account: str, name: str) -> Sequence[str] | None:
        """Return the addresses of a load balancer, or None. Those of the account come first."""


class Part(NamedTuple):
    """Records of one name and type in an answer."""

    name: str
    type: str
    ttl: int
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, before it is compiled."""

    rcode: int = NOERROR
    is_authoritative: bool = True
    answers: tuple[Part, ...] = ()
    authority: tuple[Part, ...] = ()
    additional: tuple[Part, ...] = ()
    is_fixed: bool = True
    """Whether everybody gets it, again and again, until something changes."""
    zone: ServedZone | None = None
    """The zone of the question."""
    signer: ServedZone | None = None
    """The zone of what is answered last."""
    missing: str = ""
    """The name that what is answered leads to, and that is none of ours."""
    exists: bool = True
    """Whether the last name is there."""


@dataclass(slots=True)
class _Resolution:
    """A question on its way to an answer."""

    names: Names
    client: Client
    is_fixed: bool = True
    answers: list[Part] = field(default_factory=list)


def answer(names: Names, client: Client, labels: Labels, kind: str) -> Answer:
    """Return the answer to a question of a client. Raises Missing."""
    state = _Resolution(names, client)
    first = zone = _find_asked_zone(names, labels, kind)
    if zone is None:
        return Answer(REFUSED, is_authoritative=False, missing=format_name(labels))
    seen: set[Labels] = set()
    for _ in range(MAX_CHAIN_NAMES):
        seen.add(labels)
        referral = _find_referral(names, zone, labels, kind)
        if referral is not None:
            return _finish(
                state,
                first,
                zone,
                authority=(referral, *_find_delegation_signers(names, zone, referral)),
                additional=_find_glue(names, zone, referral),
                is_authoritative=bool(state.answers),
            )
        sets = find_sets(names, zone, labels)
        if sets is None:
            return _finish(state, first, zone, NXDOMAIN, authority=_find_soa(names, zone), exists=False)
        name = format_name(labels)
        if kind == ANY and sets:
            # RFC 8482: one record says that there are no such answers.
            state.answers.append(Part(name, "HINFO", 3600, ('"RFC8482" ""',)))
            return _finish(state, first, zone)
        if kind == "DNSKEY" and zone.is_signed and labels == zone.labels:
            keys = tuple(names.get_public_keys(zone.id))
            state.answers.append(Part(name, kind, DNSKEY_TTL_SECONDS, keys))
            return _finish(state, first, zone)
        wanted = [found for found in sets if found.type == kind]
        if wanted:
            parts = _expand(state, zone, wanted, 0)
            if not parts:
                return _finish(state, first, zone, authority=_find_soa(names, zone))
            state.answers.append(Part(name, kind, *parts))
            return _finish(state, first, zone)
        alias = [found for found in sets if found.type == "CNAME"]
        parts = _expand(state, zone, alias, 0) if alias else None
        if parts is None:
            return _finish(state, first, zone, authority=_find_soa(names, zone))
        state.answers.append(Part(name, "CNAME", *parts))
        target = parts[1][0]
        try:
            labels = parse_name(target)
        except MalformedName:
            break
        following = names.find_zone(labels)
        if following is None:
            return _finish(state, first, zone, missing=target)
        zone = following
        if labels in seen:
            break
    return _finish(state, first, zone, SERVFAIL if len(state.answers) >= MAX_CHAIN_NAMES else NOERROR)


def _find_asked_zone(names: Names, labels: Labels, kind: str) -> ServedZone | None:
    """Return the zone that answers a question. DS records are those of the zone above, which delegates."""
    zone = names.find_zone(labels)
    if kind == "DS" and zone is not None and zone.labels == labels:
        parent = names.find_zone(labels[1:])
        sets = () if parent is None else names.get_node(parent.id, format_name(labels)).sets
        if any(found.type == "NS" for found in sets):
            return parent
    return zone


def _finish(
    state: _Resolution,
    first: ServedZone | None,
    last: ServedZone | None,
    rcode: int = NOERROR,
    *,
    is_authoritative: bool = True,
    authority: tuple[Part, ...] = (),
    additional: tuple[Part, ...] = (),
    missing: str = "",
    exists: bool = True,
) -> Answer:
    answers = tuple(state.answers)
    return Answer(rcode, is_authoritative, answers, authority, additional, state.is_fixed, first, last, missing, exists)


def _find_referral(names: Names, zone: ServedZone, labels: Labels, kind: str) -> Part | None:
    """Return the NS records of the first delegation between a zone's apex and a name."""
    for length in range(len(zone.labels) + 1, len(labels) + 1):
        cut = labels[len(labels) - length :]
        if kind == "DS" and cut == labels:
            return None
        node = names.get_node(zone.id, format_name(cut))
        for found in node.sets:
            if found.type == "NS":
                return Part(found.name, "NS", found.ttl, found.values)
        if not node.sets and not node.has_below:
            return None
    return None


def _find_delegation_signers(names: Names, zone: ServedZone, referral: Part) -> tuple[Part, ...]:
    """Return the DS records of a delegation, which a signed zone tells with it."""
    if not zone.is_signed:
        return ()
    sets = names.get_node(zone.id, referral.name).sets
    return tuple(Part(found.name, "DS", found.ttl, found.values) for found in sets if found.type == "DS")


def _find_glue(names: Names, zone: ServedZone, referral: Part) -> tuple[Part, ...]:
    """Return the addresses of name servers that are within the zone itself."""
    glue = []
    for server in referral.values:
        try:
            labels = parse_name(server)
        except MalformedName:
            continue
        if is_within(labels, zone.labels):
            for found in names.get_node(zone.id, format_name(labels)).sets:
                if found.type in ("A", "AAAA") and not found.policy and found.alias is None:
                    glue.append(Part(found.name, found.type, found.ttl, found.values))
    return tuple(glue)


def find_sets(names: Names, zone: ServedZone, labels: Labels) -> Sequence[RecordSet] | None:
    """Return the record sets of a name or a wildcard; None without either."""
    node = names.get_node(zone.id, format_name(labels))
    if node.sets or node.has_below or labels == zone.labels:
        return node.sets
    closest = zone.labels
    for length in range(len(zone.labels) + 1, len(labels)):
        ancestor = labels[len(labels) - length :]
        node = names.get_node(zone.id, format_name(ancestor))
        if not node.sets and not node.has_below:
            break
        closest = ancestor
    wildcard = names.get_node(zone.id, format_name((WILDCARD, *closest)))
    return wildcard.sets if wildcard.sets or wildcard.has_below else None


def _find_soa(names: Names, zone: ServedZone) -> tuple[Part, ...]:
    """Return the SOA record, which tells how long something is missing (RFC 2308)."""
    for found in names.get_node(zone.id, format_name(zone.labels)).sets:
        if found.type == "SOA":
            minimum = int(found.values[0].split()[-1])
            return (Part(found.name, "SOA", min(found.ttl, minimum), found.values),)
    return ()


def _expand(
    state: _Resolution, zone: ServedZone, sets: Sequence[RecordSet], depth: int
) -> tuple[int, tuple[str, ...]] | None:
    """Return the time to live and the values that a client gets of record sets."""
    state.is_fixed = state.is_fixed and routing.is_fixed(sets)
    chosen = routing.choose(
        sets,
        lambda found: _is_healthy(state, zone, found, 0),
        state.client,
        lambda collection: state.names.get_blocks(zone.account, collection),
    )
    if not chosen or depth > MAX_ALIAS_STEPS:
        return None
    target = chosen[0].alias
    if target is None:
        values = tuple(dict.fromkeys(value for found in chosen for value in found.values))
        return min(found.ttl for found in chosen), values
    if is_endpoint(target.name) and target.zone != zone.id:
        addresses = tuple(state.names.get_endpoint(chosen[0].type))
        return (TTL_SECONDS, addresses) if addresses else None
    if is_load_balancer(target.name) and target.zone != zone.id:
        state.is_fixed = False
        known = state.names.find_balancer_addresses(zone.account, target.name) if chosen[0].type == "A" else ()
        return (TTL_SECONDS, tuple(known)) if known else None
    within = zone._replace(id=target.zone)
    targets = [
        found for found in find_sets(state.names, within, parse_name(target.name)) or () if found.type == chosen[0].type
    ]
    return _expand(state, within, targets, depth + 1) if targets else None


def _is_healthy(state: _Resolution, zone: ServedZone, found: RecordSet, depth: int) -> bool:
    """Whether a record counts as healthy. Only what it says is looked at."""
    names = state.names
    if found.health_check and not names.is_healthy(zone.account, found.health_check):
        return False
    target = found.alias
    if target is None or not target.evaluates_health or is_endpoint(target.name) or depth > MAX_ALIAS_STEPS:
        return True
    if is_load_balancer(target.name):
        state.is_fixed = False
        return bool(names.find_balancer_addresses(zone.account, target.name))
    within = zone._replace(id=target.zone)
    targets = [each for each in names.get_node(target.zone, target.name).sets if each.type == found.type]
    return any(_is_healthy(state, within, each, depth + 1) for each in targets)
