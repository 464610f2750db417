"""Event buses, and how requests name them. Each account has a default bus in each region."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from cloudlet.core import Arn, Context, Subspace, Transaction
from cloudlet.services.events import bus_record, errors
from cloudlet.services.events.bus_record import DEFAULT, PREFIX, Bus, Place

_KEPT: Final = 512
"""So many keys are kept made."""
_BUSES: Final = Subspace("bus")


def place_of(ctx: Context, named: str | None) -> Place:
    """Return the bus that a request names, by name or ARN, or not at all. Raises AwsError."""
    if named is None:
        return Place(ctx.account, ctx.region, DEFAULT)
    if not named.startswith("arn:"):
        return Place(ctx.account, ctx.region, named)
    place = place_of_arn(named)
    if place.region != ctx.region:
        raise errors.validation("Provided EventBus Arn is not in the same region as the request.")
    return place


def place_of_arn(text: str) -> Place:
    """Return the bus with an ARN. Raises AwsError for what is no ARN of a bus."""
    try:
        arn = Arn.parse(text)
    except ValueError:
        raise errors.validation("Provided Arn is not in correct format.") from None
    prefix, slash, name = arn.resource.partition("/")
    if arn.service != "events" or f"{prefix}{slash}" != PREFIX or not (arn.account and arn.region and name):
        raise errors.validation("Provided Arn is not in correct format.")
    return Place(arn.account, arn.region, name)


@lru_cache(_KEPT)
def _key(place: Place) -> bytes:
    return _BUSES.key(*place)


async def find(tx: Transaction, place: Place) -> Bus | None:
    """Return a bus, or None where there is none."""
    raw = await tx.get(_key(place))
    if raw is not None:
        return bus_record.decode(raw)
    return Bus(*place) if place.name == DEFAULT else None


async def get(tx: Transaction, place: Place) -> Bus:
    """Return a bus. Raises AwsError where there is none."""
    bus = await find(tx, place)
    if bus is None:
        raise errors.no_such_bus(place.name)
    return bus


def of_account(account: str, region: str) -> Subspace:
    """Return where the records of an account's buses are, by name."""
    return _BUSES.sub(account, region)


def save(tx: Transaction, bus: Bus) -> None:
    """Write a bus's record."""
    tx.put(_key(bus.place), bus_record.encode(bus))


def remove(tx: Transaction, bus: Bus) -> None:
    """Delete a bus's record."""
    tx.delete(_key(bus.place))
