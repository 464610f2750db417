"""How many invocations may run at once: of an account, reserved for functions, provisioned for versions.

Developer guide, "Lambda function scaling": 1000 in a region, of which 100 stay unreserved.
"""

from __future__ import annotations

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.services.lambda_ import errors
from cloudlet.services.lambda_.execution.concurrency import Room
from cloudlet.services.lambda_.functions import directory
from cloudlet.services.lambda_.functions.directory import FunctionReference, Resolved
from cloudlet.services.lambda_.functions.function import Function, Place, Version
from cloudlet.services.lambda_.functions.settings import Setting

OF_ACCOUNT = 1000
UNRESERVED = 100
_RESERVED = Subspace("reserved-concurrency")


class Provisioned(msgspec.Struct, frozen=True):
    """How many environments are kept ready for a version or an alias. `modified` is in seconds since the epoch."""

    requested: int
    modified: float
    available: int = 0
    """How many are ready now."""
    reason: str = ""
    """Why they are not, where they cannot be started; it is tried again and again."""


PROVISIONED = Setting("provisioned-concurrency", Provisioned)


async def unreserved(tx: Transaction, account: str, region: str) -> int:
    """Return how many invocations are left for functions that have none reserved."""
    return OF_ACCOUNT - await tx.counter(_RESERVED.key(account, region))


async def reserve(tx: Transaction, function: Function, wanted: int) -> None:
    """Take so many for a function, in place of those that it has. Raises AwsError where too few would be left."""
    place = function.place
    grown = wanted - (function.reserved_concurrency or 0)
    if grown > 0 and await unreserved(tx, place.account, place.region) - grown < UNRESERVED:
        raise errors.invalid(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
            f"below its minimum value of [{UNRESERVED}]."
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
    return sum(found.requested for qualifier, found in await _all(tx, place) if qualifier != besides)


async def room(tx: Transaction, function: Function, resolved: Resolved) -> Room:
    """Return how many invocations of a function may run at once, and how many by what is kept ready for a version."""
    place, reserved = function.place, function.reserved_concurrency
    others = await unreserved(tx, place.account, place.region)
    if reserved is None:
        return Room(None, others)
    kept = {qualifier: found.requested for qualifier, found in await _all(tx, place)}
    names = {resolved.qualifier, resolved.version.version}
    return Room(reserved, others, sum(kept.values()), sum(kept.get(name, 0) for name in names))


async def check_provisioned_once(tx: Transaction, what: FunctionReference, version: Version) -> None:
    """Raise AwsError where something is kept ready of a version already, by another name of it.

    Developer guide, "Configuring provisioned concurrency for a function".
    """
    for qualifier, _ in await _all(tx, what.place):
        if qualifier == what.qualifier:
            continue
        other = (await directory.resolve(tx, FunctionReference(what.place, qualifier))).version
        if other.number == version.number and directory.is_number(str(what.qualifier)):
            raise errors.invalid("Version is pointed by a Provisioned Concurrency alias")
        if other.number == version.number:
            raise errors.invalid(
                "Alias can not be used for Provisioned Concurrency configuration on an already Provisioned version"
            )


async def _all(tx: Transaction, place: Place) -> list[tuple[str, Provisioned]]:
    """Return what is provisioned for a function, by qualifier."""
    space = PROVISIONED.of(place)
    rows = await tx.range(space.begin, space.end, limit=OF_ACCOUNT)
    return [(space.unpack(key)[0], PROVISIONED.decode(raw)) for key, raw in rows]
