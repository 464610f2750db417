"""A cache of names, which is emptied whenever anything changes.

Readers that began before a change do not put what they found beside what is newer: each has a generation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cloudlet.core import Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.core.kernel.sized_cache import SizedCache
from cloudlet.services.route53 import (
    cidr_collections,
    dnssec_keys,
    endpoints,
    health_checks,
    query_logging,
    record_sets,
    zones,
)
from cloudlet.services.route53.answering import Missing, Node, ServedZone
from cloudlet.services.route53.block import NAMES_TOPIC, REGION
from cloudlet.services.route53.dnssec_record import ServedKeys
from cloudlet.services.route53.load_balancers import KNOWN_SECONDS, LoadBalancer, find_load_balancer
from cloudlet.services.route53.names import Labels, format_name, is_within, parse_name

MAX_CACHE_ITEMS: Final = 50_000
_VALUES_PER_ITEM: Final = 8
"""The number of record sets that count as one more item."""
_BALANCER: Final = "balancer"
_NO_ZONE: Final = ServedZone("", "", ())


class NameCache:
    """The cache of a block."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self.generation = 0
        """Raised whenever something has changed."""
        self._items: SizedCache[tuple[str, ...], Any] = SizedCache(MAX_CACHE_ITEMS)
        self._balancers: SizedCache[tuple[str, str], tuple[float, LoadBalancer | None]] = SizedCache(MAX_CACHE_ITEMS)
        """Load balancers by account and name, with the time until which that holds."""
        self._endpoint = [str(address) for address in endpoints.get_addresses(block.cloud.config.endpoint)]
        self._end = block.store.watch(NAMES_TOPIC, self.forget)

    def forget(self) -> None:
        """Forget everything."""
        self.generation += 1
        self._items = SizedCache(MAX_CACHE_ITEMS)

    def get_time(self) -> float:
        """Return the time in seconds since the epoch."""
        return self._block.clock.now()

    def get(self, *key: str) -> Any:
        """Return what is known under a key. Raises Missing."""
        found = self._items.get(key)
        if found is None:
            raise Missing(key)
        return found

    def get_endpoint(self, kind: str) -> list[str]:
        """Return the addresses of Cloudlet's endpoint, of type A or AAAA."""
        return [address for address in self._endpoint if (":" in address) == (kind == "AAAA")]

    def get_balancer(self, account: str, name: str) -> LoadBalancer | None:
        """Return the load balancer that has a name, if any. Raises Missing."""
        until, found = self._balancers.get((account, name)) or (0.0, None)
        if until < asyncio.get_running_loop().time():
            raise Missing((_BALANCER, account, name))
        return found

    async def load(self, key: tuple[str, ...]) -> None:
        """Read what is missing."""
        generation = self.generation
        what, *rest = key
        if what == _BALANCER:
            account, name = rest
            balancer = await find_load_balancer(self._block, account, name)
            until = asyncio.get_running_loop().time() + KNOWN_SECONDS
            self._balancers.add((account, name), (until, balancer), 1)
            return
        found, size = await self._block.store.transact(lambda tx: _READERS[what](tx, *rest))
        if what == "keys":
            found = dnssec_keys.open_served(self._block, found)
        if generation == self.generation:
            self._items.add(key, found, 1 + size // _VALUES_PER_ITEM)


async def _read_zone(tx: Transaction, vpc: str, name: str) -> tuple[ServedZone, int]:
    labels = parse_name(name)
    while (domain := await zones.find_closest(tx, vpc, labels)) is not None:
        for account, identifier in await zones.list_served(tx, vpc, domain):
            zone = await zones.ZONES.find(tx, account, REGION, identifier)
            if zone is not None:
                log_group = await query_logging.find_log_group(tx, account, identifier)
                return ServedZone(account, identifier, parse_name(domain), zone.signs, log_group), 0
        labels = parse_name(domain)[1:]
    return _NO_ZONE, 0


async def _read_node(tx: Transaction, zone: str, name: str) -> tuple[Node, int]:
    sets = await record_sets.list_at(tx, zone, name)
    return Node(tuple(sets), await record_sets.has_below(tx, zone, name)), len(sets)


async def _read_health(tx: Transaction, account: str, check: str) -> tuple[tuple[bool], int]:
    return (await health_checks.is_healthy(tx, account, check),), 0


async def _read_blocks(tx: Transaction, account: str, collection: str) -> tuple[dict[str, tuple[str, ...]], int]:
    found = await cidr_collections.COLLECTIONS.find(tx, account, REGION, collection)
    return ({}, 0) if found is None else (found.locations, sum(map(len, found.locations.values())))


_READERS: Final[Mapping[str, Any]] = {
    "keys": dnssec_keys.read_served,
    "zone": _read_zone,
    "node": _read_node,
    "health": _read_health,
    "blocks": _read_blocks,
}
CACHES: Final = PerBlock(NameCache)


class CachedNames:
    """The names that clients of a VPC see, or all others (see `answering.Names`)."""

    def __init__(self, cache: NameCache, vpc: str, only: ServedZone | None = None) -> None:
        """With `only`, nothing but that zone is there."""
        self._cache = cache
        self._vpc = vpc
        self._only = only

    def find_zone(self, labels: Labels) -> ServedZone | None:
        if self._only is not None:
            return self._only if is_within(labels, self._only.labels) else None
        for vpc in dict.fromkeys((self._vpc, "")):
            found: ServedZone = self._cache.get("zone", vpc, format_name(labels))
            if found.id:
                return found
        return None

    def get_node(self, zone: str, name: str) -> Node:
        found: Node = self._cache.get("node", zone, name)
        return found

    def is_healthy(self, account: str, check: str) -> bool:
        found: tuple[bool] = self._cache.get("health", account, check)
        return found[0]

    def get_blocks(self, account: str, collection: str) -> Mapping[str, Sequence[str]]:
        found: Mapping[str, Sequence[str]] = self._cache.get("blocks", account, collection)
        return found

    def get_public_keys(self, zone: str) -> Sequence[str]:
        return self.get_keys(zone).public_keys

    def get_keys(self, zone: str) -> ServedKeys:
        """Return the keys that a zone is signed with. Raises Missing."""
        found: ServedKeys = self._cache.get("keys", zone)
        return found

    def get_endpoint(self, kind: str) -> Sequence[str]:
        return self._cache.get_endpoint(kind)

    def find_balancer_addresses(self, account: str, name: str) -> Sequence[str] | None:
        for each in dict.fromkeys((account, "")):
            found = self._cache.get_balancer(each, name)
            if found is not None:
                return found.list_addresses(self._vpc)
        return None
