"""Dashboards, as they are stored: they belong to an account, in all regions."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from cloudlet.core import Arn, Subspace, Transaction
from cloudlet.core.aws import listing
from cloudlet.core.aws.arn import partition_of
from cloudlet.store import Store

_READ = 8
_DASHBOARDS = Subspace("dashboard")


class Dashboard(msgspec.Struct, array_like=True):
    """A dashboard. `modified` is in seconds since the epoch."""

    account: str
    name: str
    body: str
    modified: float


class Listed(NamedTuple):
    """What lists tell of a dashboard. `modified` is in seconds since the epoch, `size` in bytes."""

    name: str
    modified: float
    size: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Dashboard).decode


def arn_of(account: str, region: str, name: str) -> str:
    """Return the ARN of a dashboard, which names no region but is of a region's partition."""
    return str(Arn(partition_of(region), "cloudwatch", "", account, f"dashboard/{name}"))


async def find(tx: Transaction, account: str, name: str) -> Dashboard | None:
    """Return a dashboard."""
    raw = await tx.get(_DASHBOARDS.key(account, name))
    return None if raw is None else _decode(raw)


def save(tx: Transaction, dashboard: Dashboard) -> None:
    """Store a dashboard."""
    tx.put(_DASHBOARDS.key(dashboard.account, dashboard.name), _encode(dashboard))


def remove(tx: Transaction, dashboard: Dashboard) -> None:
    """Remove a dashboard."""
    tx.delete(_DASHBOARDS.key(dashboard.account, dashboard.name))


async def listed(store: Store, account: str, prefix: str, after: str, count: int) -> list[Listed]:
    """Return dashboards in the order of their names: those that begin with a prefix, after a name.

    Bodies are large: a few are in memory at a time.
    """
    found: list[Listed] = []
    while len(found) < count:
        wanted = min(_READ, count - len(found))
        rows = await store.transact(lambda tx: listing.list_names(tx, _DASHBOARDS.sub(account), prefix, after, wanted))  # noqa: B023
        found += [
            Listed(one.name, one.modified, len(one.body.encode())) for one in map(_decode, [raw for _, raw in rows])
        ]
        if len(rows) < wanted:
            break
        after = found[-1].name
    return found
