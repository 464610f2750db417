"""Record sets in the store, in AWS's order, and as the API has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.services.route53.limits import MAX_SETS
from cloudlet.services.route53.names import format_name, parse_name, to_sort_key
from cloudlet.services.route53.record_set_record import Alias, GeoLocation, Proximity, RecordSet

RECORD_SETS: Final = Subspace("set")
"""By zone, name from right to left, type and identifier."""
CIDR_USES: Final = Subspace("cidr-use")
"""The record sets of CIDR locations, by collection, location, zone and key."""
_MAX_READ_SETS: Final = 16 * MAX_SETS
_encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(RecordSet).decode

Key = tuple[str, str, str]
"""A record set within a zone: name, type and identifier."""


def get_key(found: RecordSet) -> Key:
    """Return what tells a record set apart within its zone."""
    return found.name, found.type, found.identifier


def save(tx: Transaction, zone: str, found: RecordSet) -> None:
    """Write a record set."""
    tx.put(_make_row(zone, found), _encode(found))
    if found.cidr is not None:
        tx.put(_make_use(zone, found, found.cidr), b"")


def remove(tx: Transaction, zone: str, found: RecordSet) -> None:
    """Delete a record set."""
    tx.delete(_make_row(zone, found))
    if found.cidr is not None:
        tx.delete(_make_use(zone, found, found.cidr))


def _make_use(zone: str, found: RecordSet, cidr: tuple[str, str]) -> bytes:
    return CIDR_USES.key(*cidr, zone, *get_key(found))


def _make_row(zone: str, found: RecordSet) -> bytes:
    return RECORD_SETS.key(zone, to_sort_key(parse_name(found.name)), found.type, found.identifier)


async def list_at(tx: Transaction, zone: str, name: str) -> list[RecordSet]:
    """Return the record sets of a name, in their order."""
    space = RECORD_SETS.sub(zone, to_sort_key(parse_name(name)))
    return [decode(raw) for _, raw in await tx.range(space.begin, space.end, limit=_MAX_READ_SETS)]


async def has_below(tx: Transaction, zone: str, name: str) -> bool:
    """Whether there are record sets of names below a name."""
    space = RECORD_SETS.sub(zone)
    # The keys of names that begin alike: a text ends with a zero byte.
    prefix = space.key(to_sort_key(parse_name(name)))[:-1]
    rows = await tx.range(prefix + b"\x01", prefix + b"\xff", limit=1)
    return bool(rows)


def parse_record_set(given: Mapping[str, Any], proximity: Proximity | None) -> RecordSet:
    """Return the record set that a request has.

    Its members were checked. `proximity` is that of its member.
    """
    target, location, cidr = given.get("AliasTarget"), given.get("GeoLocation"), given.get("CidrRoutingConfig")
    return RecordSet(
        format_name(parse_name(given["Name"])),
        given["Type"],
        given.get("SetIdentifier") or "",
        given.get("TTL") or 0,
        tuple(each["Value"] for each in given.get("ResourceRecords") or ()),
        None if target is None else _parse_alias(target),
        given.get("HealthCheckId") or "",
        given.get("Weight"),
        given.get("Region") or "",
        given.get("Failover") or "",
        None
        if location is None
        else GeoLocation(
            location.get("ContinentCode") or "",
            location.get("CountryCode") or "",
            location.get("SubdivisionCode") or "",
        ),
        bool(given.get("MultiValueAnswer")),
        None if cidr is None else (cidr["CollectionId"], cidr["LocationName"]),
        proximity,
        given.get("TrafficPolicyInstanceId") or "",
    )


def _parse_alias(target: Mapping[str, Any]) -> Alias:
    name = format_name(parse_name(target["DNSName"]))
    return Alias(to_id(target["HostedZoneId"]), name, target["EvaluateTargetHealth"])


def to_id(given: str) -> str:
    """Return an id without the path that answers have it with: "/hostedzone/Z1" is Z1."""
    return given.rpartition("/")[2]


def to_api(found: RecordSet) -> dict[str, Any]:
    """Return a record set as the API has it."""
    shown: dict[str, Any] = {"Name": found.name, "Type": found.type}
    if found.identifier:
        shown["SetIdentifier"] = found.identifier
    if found.weight is not None:
        shown["Weight"] = found.weight
    if found.location is not None:
        parts = (found.location.continent, found.location.country, found.location.subdivision)
        names = ("ContinentCode", "CountryCode", "SubdivisionCode")
        shown["GeoLocation"] = {name: part for name, part in zip(names, parts, strict=True) if part}
    if found.is_multivalue:
        shown["MultiValueAnswer"] = True
    if found.cidr is not None:
        shown["CidrRoutingConfig"] = {"CollectionId": found.cidr[0], "LocationName": found.cidr[1]}
    if found.proximity is not None:
        place: dict[str, Any] = {"Bias": found.proximity.bias} if found.proximity.bias else {}
        if found.proximity.region:
            place["AWSRegion"] = found.proximity.region
        else:
            place["Coordinates"] = dict(zip(("Latitude", "Longitude"), found.proximity.text, strict=True))
        shown["GeoProximityLocation"] = place
    members = {
        "Region": found.region,
        "Failover": found.failover,
        "HealthCheckId": found.health_check,
        "TrafficPolicyInstanceId": found.traffic_policy_instance,
    }
    shown |= {name: value for name, value in members.items() if value}
    if found.traffic_policy_instance:
        return shown
    if found.alias is None:
        shown |= {"TTL": found.ttl, "ResourceRecords": [{"Value": value} for value in found.values]}
    else:
        target = found.alias
        shown["AliasTarget"] = {
            "HostedZoneId": target.zone,
            "DNSName": target.name,
            "EvaluateTargetHealth": target.evaluates_health,
        }
    return shown
