"""Replays: events of an archive are put on its bus again. API reference, "StartReplay"."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial

import msgspec
from msgspec.structs import replace

from cloudlet.core import Arn, Subspace, Transaction
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import watching
from cloudlet.services.events import archive, errors, matching
from cloudlet.services.events.archive import Archive
from cloudlet.services.events.large_events import Matched

TOPIC = b"replays"
_REPLAYS = Subspace("replay")
_RUNNING = Subspace("replay-running")
_AT_ONCE = 50
_Place = tuple[str, str, str]
_Matched = dict[bytes, Matched]
"""Who takes events, by their keys in the archive."""
_Finding = dict[bytes, Callable[[], Awaitable[Matched]]]


class Replay(msgspec.Struct, frozen=True):
    """A replay. Times are in seconds since the epoch; 0 for what has not come to pass."""

    account: str
    region: str
    name: str
    archive: str
    """The archive's name."""
    bus: str
    """Its bus's ARN."""
    rules: tuple[str, ...]
    """The ARNs of the only rules that get the events; none for all."""
    start: float
    end: float
    started: float
    state: str
    reason: str = ""
    description: str = ""
    ended: float = 0.0
    last: float = 0.0
    """When the last event that was replayed had happened."""
    after: bytes = b""
    """Events up to this key of the archive are done."""
    source: str = ""
    """The archive's id; empty where it was not written down yet."""

    @property
    def arn(self) -> str:
        return str(Arn(partition_of(self.region), "events", self.region, self.account, f"replay/{self.name}"))

    @property
    def running(self) -> bool:
        return self.state in ("STARTING", "RUNNING", "CANCELLING")


_encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Replay).decode


def of_account(account: str, region: str) -> Subspace:
    """Return where the replays of an account are, by name."""
    return _REPLAYS.sub(account, region)


async def find(tx: Transaction, account: str, region: str, name: str) -> Replay | None:
    """Return a replay, or None where there is none."""
    raw = await tx.get(_REPLAYS.key(account, region, name))
    return None if raw is None else decode(raw)


async def get(tx: Transaction, account: str, region: str, name: str) -> Replay:
    """Return a replay. Raises AwsError where there is none."""
    found = await find(tx, account, region, name)
    if found is None:
        raise errors.not_found(f"Replay {name} does not exist.")
    return found


def save(tx: Transaction, changed: Replay) -> None:
    """Write a replay, which goes on where it is running."""
    place = (changed.account, changed.region, changed.name)
    tx.put(_REPLAYS.key(*place), _encode(changed))
    if changed.running:
        tx.put(_RUNNING.key(*place), b"")
        tx.notify(TOPIC)
    else:
        tx.delete(_RUNNING.key(*place))


async def running(tx: Transaction, account: str, region: str, most: int) -> int:
    """Return how many replays of an account are running, counting up to `most`."""
    space = _RUNNING.sub(account, region)
    return len(await tx.range(space.begin, space.end, limit=most))


def _is_of(replay: Replay, source: Archive) -> bool:
    """Whether it is this archive that is replayed, and not an earlier one of its name, which is gone."""
    if replay.source:
        return replay.source == source.id
    return not replay.after or archive.has(source, replay.after)


async def run(block: Block) -> None:
    """Replay what is to be replayed, until the block ends."""
    async with watching(block, TOPIC) as changed, asyncio.TaskGroup() as group:
        works = KeyedTasks(block, changed)

        async def listed(tx: Transaction) -> list[_Place]:
            rows = await tx.range(_RUNNING.begin, _RUNNING.end, limit=_AT_ONCE + len(works))
            return [place for key, _ in rows if (place := _RUNNING.unpack(key)) not in works]

        while True:
            changed.clear()
            for place in await block.store.transact(listed):
                works.start(group, place, f"the replay {place}", partial(_go_on, block, place))
            await changed.wait()


async def _go_on(block: Block, place: _Place) -> None:
    """Replay some events of a replay, or end it."""
    matched: _Matched = {}

    async def body(tx: Transaction) -> _Finding:
        return await _advance(tx, place, block.clock.now(), matched)

    while finding := await block.store.transact(body):
        for key, find in finding.items():
            matched[key] = await find()


async def _advance(tx: Transaction, place: _Place, now: float, matched: _Matched) -> _Finding:
    """Replay some events of a replay, or end it. Returns what is to be found out before, where there is something."""
    replay = await get(tx, *place)
    if not replay.running:
        return {}
    source = await archive.find(tx, replay.account, replay.region, replay.archive)
    if replay.state == "CANCELLING":
        save(tx, replace(replay, state="CANCELLED", ended=now))
        return {}
    if source is None or not _is_of(replay, source):
        save(tx, replace(replay, state="FAILED", reason="The archive does not exist any more.", ended=now))
        return {}
    found = await archive.between(tx, source, replay.after, replay.start, replay.end, _AT_ONCE)
    events = {
        kept.key: json.dumps({**json.loads(kept.event), "replay-name": replay.name}, separators=(",", ":"))
        for kept in found
    }
    finding = {
        key: await matching.matched(tx, source.place, each) for key, each in events.items() if key not in matched
    }
    if large := {key: find for key, find in finding.items() if find is not None}:
        return large
    last, deliveries = None, 0
    for kept in found:
        if deliveries >= matching.MOST_DELIVERIES:
            break
        last, event = kept, events[kept.key]
        deliveries += await matching.match(
            tx, source.place, event, now, only=replay.rules, matched=matched.get(kept.key)
        )
    if last is not None:
        save(tx, replace(replay, state="RUNNING", after=last.key, last=last.time / 1000))
    else:
        save(tx, replace(replay, state="COMPLETED", ended=now))
    return {}
