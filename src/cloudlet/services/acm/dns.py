"""CNAME records, looked up in the hosted zones that Route 53 has for an account."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from cloudlet.core.kernel.service import Params, Result

Call = Callable[[str, Params], Awaitable[Result]]
"""Calls an operation of Route 53."""


async def find_cname(call: Call, name: str) -> str | None:
    """Return the name that another is an alias of in a public zone, if any.

    It is without a final dot.

    The zone with the longest name that a name is within answers for it. Raises AwsError.
    """
    labels = name.lower().rstrip(".").split(".")
    for first in range(1, len(labels) - 1):
        zones = await _list_zones(call, ".".join(labels[first:]))
        for zone in zones:
            value = await _find_record(call, zone, ".".join(labels))
            if value is not None:
                return value
        if zones:
            return None
    return None


async def _list_zones(call: Call, name: str) -> list[str]:
    """Return the ids of the public hosted zones of a name."""
    found = await call("ListHostedZonesByName", {"DNSName": name, "MaxItems": "10"}) or {}
    return [
        zone["Id"].rpartition("/")[2]
        for zone in found.get("HostedZones") or ()
        if _is_same(zone["Name"], name) and not (zone.get("Config") or {}).get("PrivateZone")
    ]


async def _find_record(call: Call, zone: str, name: str) -> str | None:
    asked = {"HostedZoneId": zone, "StartRecordName": name, "StartRecordType": "CNAME", "MaxItems": "1"}
    found = await call("ListResourceRecordSets", asked) or {}
    records: list[dict[str, Any]] = found.get("ResourceRecordSets") or []
    for record in records:
        if record["Type"] == "CNAME" and _is_same(record["Name"], name) and record.get("ResourceRecords"):
            value: str = record["ResourceRecords"][0]["Value"]
            return value.rstrip(".").lower()
    return None


def _is_same(one: str, other: str) -> bool:
    return one.rstrip(".").lower() == other.rstrip(".").lower()
