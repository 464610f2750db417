"""Events of container instances for EventBridge.

Developer guide, "Amazon ECS container instance state change events". Whatever may have changed the instances of a
cluster asks for a look at them; what differs from what was told last is told.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.core.aws import iso8601, service_events
from cloudlet.core.background.reconciler import Key, Reconciler

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_TOLD: Final = Subspace("instance-told")
_MAX_INSTANCES: Final = 10_000
_INACTIVE: Final = "INACTIVE"
_UNTOLD: Final = ("runningTasksCount", "pendingTasksCount")
_Shape = dict[str, Any]


class _News(msgspec.Struct, frozen=True):
    """The state of a container instance that was told last."""

    shape: _Shape
    version: int


_encode = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_News).decode


async def _settle(block: Block, key: Key) -> None:
    account, region, cluster = key
    # In a transaction of its own, which writes nothing: those that change tasks go on.
    shapes = await block.store.transact(lambda tx: _describe_all(tx, account, region, cluster))
    await block.store.transact(lambda tx: _tell(tx, (account, region, cluster), shapes, block.clock.now()))


EVENTS: Final = Reconciler("instance-events", _settle)


def request(tx: Transaction, account: str, region: str, cluster: str) -> None:
    """Have changes of a cluster's container instances told once this is committed."""
    EVENTS.request(tx, account, region, cluster)


async def load_version(tx: Transaction, account: str, region: str, cluster: str, id: str) -> int:
    """Return how often an instance has changed."""
    raw = await tx.get(_TOLD.key(account, region, cluster, id))
    return 1 if raw is None else _decode(raw).version


async def _describe_all(tx: Transaction, account: str, region: str, name: str) -> dict[str, _Shape]:
    """Return the instances of a cluster by their ids."""
    # Imported late: what changes instances asks for events by this module.
    from cloudlet.services.ecs import clusters, instance_shape, instances

    cluster = await clusters.find(tx, account, region, name)
    if cluster is None:
        return {}
    found: dict[str, _Shape] = {}
    for instance in await instances.list_instances(tx, cluster):
        shape = await instance_shape.describe(tx, instance)
        kept = {key: value for key, value in shape.items() if value is not None and key not in (*_UNTOLD, "version")}
        kept["registeredAt"] = iso8601.millisecond(int(shape["registeredAt"] * 1000))
        found[instance.id] = {**kept, "clusterArn": cluster.arn}
    return found


async def _tell(tx: Transaction, place: tuple[str, str, str], shapes: dict[str, _Shape], now: float) -> None:
    """Tell of instances that are not as they were told last."""
    space = _TOLD.sub(*place)
    rows = await tx.range(space.begin, space.end, limit=_MAX_INSTANCES)
    known = {space.unpack(key)[0]: _decode(raw) for key, raw in rows}
    for id, told in known.items():
        if id not in shapes:
            tx.delete(space.key(id))
            _note(tx, place, {**told.shape, "agentConnected": False, "status": _INACTIVE}, told.version + 1, now)
    for id, shape in shapes.items():
        before = known.get(id)
        if before is None or before.shape != shape:
            told = _News(shape, before.version + 1 if before else 1)
            tx.put(space.key(id), _encode(told))
            _note(tx, place, shape, told.version, now)


def _note(tx: Transaction, place: tuple[str, str, str], shape: _Shape, version: int, now: float) -> None:
    account, region, _ = place
    entry = {
        "Time": now,
        "Source": "aws.ecs",
        "DetailType": "ECS Container Instance State Change",
        "Resources": [shape["containerInstanceArn"]],
        "Detail": json.dumps({**shape, "version": version, "updatedAt": iso8601.millisecond(int(now * 1000))}),
    }
    service_events.add(tx, account, region, entry)
