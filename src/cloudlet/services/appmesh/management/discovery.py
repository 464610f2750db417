"""Service discovery of virtual nodes: the addresses that Cloud Map and DNS have of them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final, NamedTuple

import msgspec

from cloudlet.core import AwsError
from cloudlet.core.kernel.block import Block
from cloudlet.engines.resolver import Resolver

log = logging.getLogger("cloudlet.appmesh")

_MAP_SECONDS: Final = 0.5
"""The time between looks at the revision of a service in Cloud Map."""
_HEALTH_SECONDS: Final = 5.0
"""The time after which instances of the same revision are listed again.

Their health may have changed.
"""
_DNS_SECONDS: Final = 2.0
_LOOKUP_SECONDS: Final = 2.0
_MAX_INSTANCES: Final = 1000
_MAX_ALIASES: Final = 8
"""The length of a chain of names that stand for others."""
_ADDRESS_TYPES: Final = ("A", "AAAA")


class Lookup(NamedTuple):
    """The service discovery of a virtual node, in an account and region."""

    account: str
    region: str
    discovery: bytes
    """The member of its specification, as JSON."""
    preference: str
    """The IP versions that it uses."""


def make_lookup(account: str, region: str, discovery: Mapping[str, Any], preference: str) -> Lookup:
    """Return what finds the addresses of a virtual node."""
    return Lookup(account, region, msgspec.json.encode(discovery, order="deterministic"), preference)


@dataclass(slots=True)
class _Entry:
    addresses: tuple[str, ...] = ()
    revision: int = -1
    due: float = 0.0
    listed: float = 0.0


class AddressBook:
    """The addresses that are known, kept up to date. Used from one event loop."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self._resolver = Resolver()
        self._entries: dict[Lookup, _Entry] = {}

    def find(self, lookup: Lookup) -> tuple[str, ...]:
        """Return the addresses that were found last."""
        entry = self._entries.get(lookup)
        return () if entry is None else entry.addresses

    def has(self, lookup: Lookup) -> bool:
        """Whether something was looked up before."""
        return lookup in self._entries

    def keep(self, lookups: Collection[Lookup]) -> None:
        """Forget all that is looked up no more."""
        for gone in self._entries.keys() - set(lookups):
            del self._entries[gone]

    async def refresh(self, lookups: Collection[Lookup]) -> set[Lookup]:
        """Look up what is due; return what has changed."""
        now = time.monotonic()
        due = [lookup for lookup in lookups if self._entries.setdefault(lookup, _Entry()).due <= now]
        changed = await asyncio.gather(*(self._refresh_one(lookup) for lookup in due))
        return {lookup for lookup, is_changed in zip(due, changed, strict=True) if is_changed}

    async def _refresh_one(self, lookup: Lookup) -> bool:
        entry = self._entries[lookup]
        discovery = msgspec.json.decode(lookup.discovery)
        before = entry.addresses
        try:
            async with asyncio.timeout(_LOOKUP_SECONDS):
                if "awsCloudMap" in discovery:
                    await self._list_instances(lookup, discovery["awsCloudMap"], entry)
                else:
                    await self._resolve(lookup, discovery["dns"], entry)
        except (OSError, TimeoutError, AwsError) as error:
            # What was found before stays: a name that is not answered now is no reason to stop all traffic.
            log.debug("service discovery of %s failed: %s", discovery, error)
        except Exception:
            # One that fails unexpectedly holds up no other.
            log.exception("service discovery of %s failed", discovery)
        entry.due = time.monotonic() + (_MAP_SECONDS if "awsCloudMap" in discovery else _DNS_SECONDS)
        return entry.addresses != before

    async def _list_instances(self, lookup: Lookup, given: Mapping[str, Any], entry: _Entry) -> None:
        names = {"NamespaceName": given["namespaceName"], "ServiceName": given["serviceName"]}
        try:
            revision = (await self._call(lookup, "DiscoverInstancesRevision", names))["InstancesRevision"]
            if revision == entry.revision and time.monotonic() - entry.listed < _HEALTH_SECONDS:
                return
            wanted = {each["key"]: each["value"] for each in given.get("attributes") or ()}
            params = {**names, "MaxResults": _MAX_INSTANCES, **({"QueryParameters": wanted} if wanted else {})}
            instances = (await self._call(lookup, "DiscoverInstances", params))["Instances"]
        except AwsError as error:
            if error.code not in ("NamespaceNotFound", "ServiceNotFound"):
                raise
            revision, instances = -1, []
        attributes = [each["Attributes"] for each in instances]
        found = [
            each[name] for each in attributes for name in ("AWS_INSTANCE_IPV4", "AWS_INSTANCE_IPV6") if name in each
        ]
        entry.addresses = tuple(sorted(choose_addresses(found, lookup.preference)))
        entry.revision, entry.listed = revision, time.monotonic()

    async def _call(self, lookup: Lookup, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        answer = await self._block.call(
            "servicediscovery", operation, params, account=lookup.account, region=lookup.region
        )
        return dict(answer or {})

    async def _resolve(self, lookup: Lookup, given: Mapping[str, Any], entry: _Entry) -> None:
        found = await self._find_addresses(lookup, given["hostname"])
        addresses = sorted(choose_addresses(found, lookup.preference))
        if given.get("responseType") != "ENDPOINTS" and addresses:
            # One address stands for all, as behind a load balancer. It stays while the name has it.
            addresses = [next((each for each in entry.addresses if each in addresses), addresses[0])]
        entry.addresses = tuple(addresses)

    async def _find_addresses(self, lookup: Lookup, hostname: str) -> list[str]:
        """Return the addresses of a name, which may be another name for it. Raises OSError where there is none."""
        for _ in range(_MAX_ALIASES):
            records = await self._find_in_zones(lookup, hostname)
            found = [value for kind, value in records if kind in _ADDRESS_TYPES]
            if found:
                return found
            others = [value for kind, value in records if kind not in _ADDRESS_TYPES]
            if not others:
                break
            hostname = others[0]
        return await self._resolver.addresses(hostname.rstrip("."))

    async def _find_in_zones(self, lookup: Lookup, hostname: str) -> list[tuple[str, str]]:
        """Return the records of a name in the account's private hosted zones: types and values.

        The type of an alias is ALIAS, and its value the other name.
        """
        if not self._block.cloud.has("route53") or "." not in hostname or _is_address(hostname):
            return []
        listed = await self._ask_route53(lookup, "ListHostedZones", {})
        name = f"{hostname.rstrip('.').lower()}."
        zones = [
            zone
            for zone in listed.get("HostedZones", ())
            if (zone.get("Config") or {}).get("PrivateZone") and f".{name}".endswith(f".{zone['Name']}")
        ]
        found = []
        for zone in sorted(zones, key=lambda zone: -len(zone["Name"]))[:1]:
            params = {"HostedZoneId": zone["Id"].rpartition("/")[2], "StartRecordName": name, "StartRecordType": "A"}
            answer = await self._ask_route53(lookup, "ListResourceRecordSets", params)
            for each in answer["ResourceRecordSets"]:
                if each["Name"].lower() != name or each["Type"] not in (*_ADDRESS_TYPES, "CNAME"):
                    continue
                found += [(each["Type"], record["Value"]) for record in each.get("ResourceRecords") or ()]
                if "AliasTarget" in each:
                    found.append(("ALIAS", each["AliasTarget"]["DNSName"]))
        return found

    async def _ask_route53(self, lookup: Lookup, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        return dict(
            await self._block.call("route53", operation, params, account=lookup.account, region="us-east-1") or {}
        )


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def choose_addresses(found: Collection[str], preference: str) -> list[str]:
    """Return the addresses of the IP version that is preferred.

    Where there are none, those of the other one may do.
    """
    by_version: dict[int, list[str]] = {4: [], 6: []}
    for address in dict.fromkeys(found):
        by_version[ip_address(address).version].append(address)
    version = 6 if preference.startswith("IPv6") else 4
    if preference.endswith("_ONLY"):
        return by_version[version]
    return by_version[version] or by_version[10 - version]
