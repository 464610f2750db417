"""How many invocations may run at once: of an account, reserved for functions, provisioned for versions.

Developer guide, "Lambda function scaling": 1000 in a region, of which 100 stay unreserved.
"""

from __future__ import annotations

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.services.lambda_ import errors
from cloudlet.services.lambda_.function import Function, Place, Version
from cloudlet.services.lambda_.settings import Setting

OF_ACCOUNT = 1000
_UNRESERVED = 100
_RESERVED = Subspace("reserved-concurrency")


class Provisioned(msgspec.Struct, frozen=True):
    """How many environments are kept ready for a version or an alias. `modified` is in seconds since the epoch."""

    requested: int
    modified: float
    available: int = 0
    """How many are ready now."""


PROVISIONED = Setting("provisioned-concurrency", Provisioned)


async def unreserved(tx: Transaction, account: str, region: str) -> int:
    """Return how many invocations are left for functions that have none reserved."""
    return OF_ACCOUNT - await tx.counter(_RESERVED.key(account, region))


async def reserve(tx: Transaction, function: Function, wanted: int) -> None:
    """Take so many for a function, in place of those that it has. Raises AwsError where too few would be left."""
    place = function.place
    grown = wanted - (function.reserved_concurrency or 0)
    if grown > 0 and await unreserved(tx, place.account, place.region) - grown < _UNRESERVED:
        raise errors.invalid(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
            f"below its minimum value of [{_UNRESERVED}]."
        )
    if wanted < await provisioned(tx, place):
        raise errors.invalid(
            "ReservedConcurrentExecutions of a function cannot be less than its provisioned concurrency."
        )
    tx.add(_RESERVED.key(place.account, place.region), grown)


def release(tx: Transaction, function: Function) -> None:
    """Give back what a function has reserved."""
    if function.reserved_concurrency:
        tx.add(_RESERVED.key(function.place.account, function.place.region), -function.reserved_concurrency)


def check_provisionable(version: Version) -> None:
    """Raise AwsError for a version that nothing can be kept ready of."""
    if version.starts_from_snapshot:
        raise errors.invalid("Provisioned Concurrency is not supported for SnapStart enabled functions.")


async def provisioned(tx: Transaction, place: Place, besides: str = "") -> int:
    """Return how many are provisioned for a function in all, but for one of its qualifiers."""
    space = PROVISIONED.of(place)
    rows = await tx.range(space.begin, space.end, limit=OF_ACCOUNT)
    return sum(PROVISIONED.decode(raw).requested for key, raw in rows if key != space.key(besides))
