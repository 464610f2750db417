"""Routing policies: which of the records of a name and type a client gets.

Developer Guide, "Choosing a routing policy", "How Amazon Route 53 chooses records when health checking is configured".
Where none is healthy, all count as healthy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Final

from cloudlet.services.route53.places import EVERYWHERE, Place, find_region, measure_distance
from cloudlet.services.route53.record_set_record import RecordSet

MAX_MULTIVALUE_ANSWERS: Final = 8
HOME: Final = find_region("us-east-1") or Place(0, 0)
"""The place of unknown clients, for latency and geoproximity."""


@dataclass(frozen=True, slots=True)
class Client:
    """A client that gets an answer."""

    address: IPv4Address | IPv6Address
    """The client's own, or the one that its resolver tells."""
    place: Place | None
    draw: Callable[[int], int]
    """Returns a random number from 0 to a limit, without that."""
    prefix: int = 128
    """The number of the address's bits that are known. More specific blocks are not its own."""


Sets = Sequence[RecordSet]
Blocks = Callable[[str], Mapping[str, Sequence[str]]]
"""Returns the locations of a CIDR collection."""
_CLIENT_DEPENDENT: Final = frozenset(
    ("Weight", "Region", "GeoLocation", "MultiValueAnswer", "CidrRoutingConfig", "GeoProximityLocation")
)


def is_fixed(sets: Sets) -> bool:
    """Whether everybody gets the same of these record sets, as long as nothing changes."""
    return not sets or sets[0].policy not in _CLIENT_DEPENDENT


def choose(sets: Sets, is_healthy: Callable[[RecordSet], bool], client: Client, blocks: Blocks) -> Sets:
    """Return the record sets that a client gets, of those with one name and type."""
    policy = sets[0].policy if sets else ""
    if not policy:
        return sets
    healthy = [found for found in sets if is_healthy(found)]
    if policy == "Failover":
        return _choose_failover(sets, healthy)
    if policy == "GeoLocation":
        return _choose_location(sets, healthy, client.place)
    candidates = healthy or sets
    if policy == "Weight":
        return _choose_weighted(candidates, client.draw)
    if policy == "MultiValueAnswer":
        return _choose_several(candidates, client.draw)
    if policy == "CidrRoutingConfig":
        return _choose_block(candidates, client, blocks)
    place = client.place or HOME
    return [min(candidates, key=lambda found: (_measure(found, place), found.identifier))]


def _choose_failover(sets: Sets, healthy: Sets) -> Sets:
    for candidates in (healthy, sets):
        for role in ("PRIMARY", "SECONDARY"):
            found = [each for each in candidates if each.failover == role]
            if found:
                return found
    return []


def _choose_weighted(candidates: Sets, draw: Callable[[int], int]) -> Sets:
    """Return one by chance. Those of weight zero count only where there are no others."""
    weighted = [found for found in candidates if found.weight] or candidates
    weights = [found.weight or 1 for found in weighted]
    drawn = draw(sum(weights))
    for found, weight in zip(weighted, weights, strict=True):
        drawn -= weight
        if drawn < 0:
            return [found]
    raise ValueError("a number was drawn beyond the limit")


def _choose_several(candidates: Sets, draw: Callable[[int], int]) -> Sets:
    """Return up to eight by chance, each once."""
    left = list(candidates)
    return [left.pop(draw(len(left))) for _ in range(min(len(left), MAX_MULTIVALUE_ANSWERS))]


def _choose_location(sets: Sets, healthy: Sets, place: Place | None) -> Sets:
    """Return the record of the smallest location that a client is in."""
    for candidates in (healthy, sets):
        ranked = [(_rank(found, place), found) for found in candidates]
        best = max((rank for rank, _ in ranked), default=0)
        if best:
            return [found for rank, found in ranked if rank == best][:1]
    return []


def _rank(found: RecordSet, place: Place | None) -> int:
    """Return how closely a record's location is that of a client; 0: not at all."""
    location = found.location
    if location is None:
        return 0
    if location.country == EVERYWHERE:
        return 1
    if place is None:
        return 0
    if location.continent:
        return 2 if location.continent == place.continent else 0
    if location.country != place.country:
        return 0
    if not location.subdivision:
        return 3
    return 4 if location.subdivision == place.subdivision else 0


def _choose_block(candidates: Sets, client: Client, blocks: Blocks) -> Sets:
    """Return the record of the location with the longest prefix that a client's address has."""
    best, chosen = -1, None
    for found in candidates:
        if found.cidr is None:
            continue
        collection, location = found.cidr
        if location == EVERYWHERE:
            if best < 0:
                best, chosen = 0, found
            continue
        for text in blocks(collection).get(location, ()):
            block = ip_network(text)
            if block.version != client.address.version or block.prefixlen > client.prefix:
                continue
            if client.address in block and block.prefixlen + 1 > best:
                best, chosen = block.prefixlen + 1, found
    return [] if chosen is None else [chosen]


def _measure(found: RecordSet, place: Place) -> float:
    """Return the distance of a record from a client, in kilometres, with its bias."""
    if found.proximity is None:
        region = find_region(found.region) or HOME
        return measure_distance(place, region.latitude, region.longitude)
    distance = measure_distance(place, found.proximity.latitude, found.proximity.longitude)
    bias = found.proximity.bias
    return distance * (1 - bias / 100) if bias >= 0 else distance / (1 + bias / 100)
