"""Hosted zones, changes and delegation sets in the store, with an index of names."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile
from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Subspace, Transaction
from cloudlet.core.aws.records import Records
from cloudlet.core.kernel.ids import random_below, token
from cloudlet.services.route53 import errors, record_sets
from cloudlet.services.route53.block import NAMES_TOPIC, REGION
from cloudlet.services.route53.names import Labels, format_name, is_within, parse_name, to_sort_key
from cloudlet.services.route53.record_set_record import RecordSet
from cloudlet.services.route53.zone_record import Change, DelegationSet, Vpc, Zone

_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_SUFFIXES: Final = ("com", "net", "org", "co.uk")
_ID_CHARACTERS: Final = 16

ZONES: Final = Records(Subspace("zone"), Zone, errors.NoSuchHostedZone)
CHANGES: Final = Records(
    Subspace("change"),
    Change,
    lambda name: AwsError("NoSuchChange", f"Could not find resource with ID: {name}"),
)
DELEGATION_SETS: Final = Records(Subspace("delegation-set"), DelegationSet, errors.NoSuchDelegationSet)
PENDING: Final = Subspace("pending")
"""The changes that are not known to be answered yet, by account and id."""
SERVED: Final = Subspace("served")
"""The accounts of zones, by VPC (public ones: ""), name, creation and id."""
REFERENCES: Final = Subspace("reference")
"""The ids of what has a CallerReference, by kind, account and that."""


def make_id(prefix: str) -> str:
    """Return the id of something new. With its path it has 32 characters at most."""
    return prefix + token(_ID_CHARACTERS, _ALPHABET)


def make_servers() -> tuple[str, ...]:
    """Return four name servers, as those of a delegation set are named."""
    numbers = [index * 512 + random_below(512) for index in range(4)]
    return tuple(f"ns-{number}.awsdns-{number % 512 // 8:02d}.{_SUFFIXES[number // 512]}" for number in numbers)


PRIVATE_SERVERS: Final = tuple(
    f"ns-{number}.awsdns-00.{suffix}" for number, suffix in ((1536, "co.uk"), (0, "com"), (1024, "org"), (512, "net"))
)
"""The servers that a private zone's NS record names."""


async def get_zone(ctx: Context, tx: Transaction, given: str) -> Zone:
    """Return a zone of the caller's by its id, with or without its path. Raises NoSuchHostedZone."""
    return await ZONES.get(tx, ctx.account, REGION, record_sets.to_id(given))


def begin_change(ctx: Context, tx: Transaction, comment: str | None = None) -> dict[str, Any]:
    """Note that what is answered changes with this transaction; return its ChangeInfo."""
    change = Change(ctx.account, make_id("C"), ctx.now(), comment)
    CHANGES.save(tx, change)
    tx.put(PENDING.key(change.account, change.name), b"")
    tx.notify(NAMES_TOPIC)
    return describe_change(change)


def describe_change(change: Change) -> dict[str, Any]:
    """Return a change as the API has it."""
    shown = {
        "Id": f"/change/{change.name}",
        "Status": "INSYNC" if change.is_in_sync else "PENDING",
        "SubmittedAt": change.submitted,
    }
    return shown if change.comment is None else {**shown, "Comment": change.comment}


def make_first_records(zone: Zone) -> tuple[RecordSet, RecordSet]:
    """Return the records that a zone has from the beginning: NS and SOA."""
    servers = tuple(f"{server}." for server in zone.servers)
    soa = f"{servers[0]} awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"
    return (
        RecordSet(zone.domain, "NS", ttl=172_800, values=servers),
        RecordSet(zone.domain, "SOA", ttl=900, values=(soa,)),
    )


def enter(tx: Transaction, zone: Zone, vpcs: Iterable[Vpc] = ()) -> None:
    """Have a zone answer: a public one everybody, a private one these VPCs."""
    for row in _list_rows(zone, vpcs):
        tx.put(row, zone.account.encode())


def withdraw(tx: Transaction, zone: Zone, vpcs: Iterable[Vpc] = ()) -> None:
    """Have a zone answer no more; a private one not these VPCs."""
    for row in _list_rows(zone, vpcs):
        tx.delete(row)


def _list_rows(zone: Zone, vpcs: Iterable[Vpc]) -> list[bytes]:
    name, created = to_sort_key(parse_name(zone.domain)), int(zone.created * 1000)
    answered = [vpc.id for vpc in vpcs] if zone.is_private else [""]
    return [SERVED.key(vpc, name, created, zone.name) for vpc in answered]


async def list_served(tx: Transaction, vpc: str, domain: str) -> list[tuple[str, str]]:
    """Return the accounts and ids of the zones of a name, the oldest first."""
    space = SERVED.sub(vpc, to_sort_key(parse_name(domain)))
    rows = await tx.range(space.begin, space.end, limit=100)
    return [(account.decode(), SERVED.unpack(key)[3]) for key, account in rows]


async def find_closest(tx: Transaction, vpc: str, labels: Labels) -> str | None:
    """Return the longest domain of a zone that a name is within, or None.

    Domains are sorted by their labels from right to left: between that one and the name there are others, if any, that
    have fewer labels in common with the name.
    """
    begin = SERVED.sub(vpc).begin
    while labels:
        rows = await tx.range(begin, SERVED.sub(vpc, to_sort_key(labels)).end, limit=1, reverse=True)
        if not rows:
            return None
        domain = parse_name(SERVED.unpack(rows[0][0])[1])[::-1]
        if is_within(labels, domain):
            return format_name(domain)
        shared = sum(
            1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(labels[::-1], domain[::-1], strict=False))
        )
        labels = labels[len(labels) - shared :]
    return None


def count_records(tx: Transaction, zone: Zone, difference: int) -> Zone:
    """Write down how many records a zone has; return it so."""
    counted = replace(zone, records=zone.records + difference)
    ZONES.save(tx, counted)
    return counted


def to_api(zone: Zone) -> dict[str, Any]:
    """Return a zone as the API has it."""
    config: dict[str, Any] = {"PrivateZone": zone.is_private}
    if zone.comment is not None:
        config["Comment"] = zone.comment
    shown: dict[str, Any] = {
        "Id": f"/hostedzone/{zone.name}",
        "Name": zone.domain,
        "CallerReference": zone.reference,
        "Config": config,
        "ResourceRecordSetCount": zone.records,
    }
    if zone.linked_service is not None:
        shown["LinkedService"] = {
            "ServicePrincipal": zone.linked_service[0],
            "Description": zone.linked_service[1],
        }
    return shown


def describe_delegation_set(zone: Zone) -> dict[str, Any]:
    """Return the delegation set of a public zone as the API has it."""
    named = {"Id": f"/delegationset/{zone.delegation_set}"} if zone.delegation_set else {}
    return {**named, "NameServers": list(zone.servers)}
