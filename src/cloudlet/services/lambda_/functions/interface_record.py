"""Network interfaces of functions in VPCs: what is kept of them.

There is one for each subnet and set of security groups, which all functions share that have both.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.services.lambda_.functions.function import Version

_INTERFACES: Final = Subspace("network-interface")
_USERS: Final = Subspace("network-interface-user")
_encode: Final = msgspec.msgpack.Encoder().encode


class Connection(NamedTuple):
    """A subnet, with security groups."""

    account: str
    region: str
    subnet: str
    groups: str
    """In their order, with commas between them."""


class Interface(msgspec.Struct, frozen=True):
    """The network interface for a connection."""

    token: str
    """The name by which EC2 knows it before it has an id."""
    id: str = ""
    vpc: str = ""
    is_ready: bool = False
    error: str = ""
    """The code of a function's state, where it cannot be had."""
    reason: str = ""
    since: float = 0.0
    """The time from which it is wanted."""


_decode: Final = msgspec.msgpack.Decoder(Interface).decode


def list_connections(version: Version | None) -> list[Connection]:
    """Return the connections of a version, of which one in no VPC has none."""
    if version is None or version.vpc is None:
        return []
    groups, place = ",".join(sorted(version.vpc.groups)), version.place
    return [Connection(place.account, place.region, subnet, groups) for subnet in version.vpc.subnets]


async def find(tx: Transaction, connection: Connection) -> Interface | None:
    """Return the interface for a connection, None where there is none."""
    raw = await tx.get(_INTERFACES.key(*connection))
    return None if raw is None else _decode(raw)


def save(tx: Transaction, connection: Connection, interface: Interface | None) -> None:
    """Keep the interface for a connection, or forget it."""
    if interface is None:
        tx.delete(_INTERFACES.key(*connection))
    else:
        tx.put(_INTERFACES.key(*connection), _encode(interface))


async def find_user(tx: Transaction, connection: Connection) -> str | None:
    """Return the ARN of a version that needs a connection, None where none does."""
    space = _USERS.sub(*connection)
    rows = await tx.range(space.begin, space.end, limit=1)
    return str(space.unpack(rows[0][0])[0]) if rows else None


def set_user(
    tx: Transaction, user: str, before: Iterable[Connection], after: Iterable[Connection]
) -> frozenset[Connection]:
    """Note that `user`, an ARN, needs other connections than before; return those that are concerned."""
    old, new = frozenset(before), frozenset(after)
    for connection in old - new:
        tx.delete(_USERS.key(*connection, user))
    for connection in new - old:
        tx.put(_USERS.key(*connection, user), b"")
    return old ^ new
