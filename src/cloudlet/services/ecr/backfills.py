"""Replication backfills: images that were there before a rule are replicated, too. User guide, "Replication backfill".

Each image is one replication for each of its tags. Images that an index names and that have no tag come with it.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec.structs import replace

from cloudlet.core import AwsError, Subspace, Transaction
from cloudlet.core.aws.records import Records
from cloudlet.core.background.reconciler import Key, Reconciler
from cloudlet.core.background.retention import delete_expired
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.ecr import errors, images, registry, replicating, repository
from cloudlet.services.ecr.backfill_record import Backfill, BackfillResult
from cloudlet.services.ecr.replicating import Destination
from cloudlet.services.ecr.repository_record import Repository
from cloudlet.services.ecr.storage_class import ACTIVE

PREPARING, IN_PROGRESS, COMPLETE, FAILED = "PREPARING", "IN_PROGRESS", "COMPLETE", "FAILED"
STOPPING, STOPPED = "STOPPING", "STOPPED"
ENDED: Final = (COMPLETE, FAILED, STOPPED)
_STOPS: Final = {PREPARING: STOPPED, IN_PROGRESS: STOPPING}
"""Status of a backfill → its status once it is stopped. Others cannot be stopped."""
_MAX_RUNNING_BACKFILLS: Final = 10
_MIN_JUDGED_REPLICATIONS: Final = 100
"""The replications after which a backfill fails of which half have failed (user guide)."""
_FAILURE: Final = "FAILURE_THRESHOLD_EXCEEDED"
_KEPT_SECONDS: Final = 90 * 24 * 3600.0
_READ_ROWS: Final = 200
_BATCH: Final = 10


class _BackfillNotFound(AwsError):
    """An id that no backfill of the registry has."""

    def __init__(self, id: str) -> None:
        super().__init__(
            "ReplicationBackfillNotFoundException", f"The replication backfill with id '{id}' does not exist"
        )


_records: Final = Records(Subspace("backfill"), Backfill, _BackfillNotFound)
get, get_space, decode = _records.get, _records.get_space, _records.decode
_PENDING: Final = Subspace("backfill-pending")
"""Backfill's id, repository, digest, tag → nothing: a replication that is still to be made."""
_RESULTS: Final = Subspace("backfill-result")
"""Backfill's id, repository, digest, tag → what has become of it."""
_END_TIMES: Final = Subspace("backfill-ended")
"""The time of its end, account, region, id → nothing."""
_encode = msgspec.msgpack.Encoder().encode
decode_result = msgspec.msgpack.Decoder(BackfillResult).decode


def get_result_space(backfill: Backfill) -> Subspace:
    """Return the subspace of the results of a backfill."""
    return _RESULTS.sub(backfill.name)


async def start(tx: Transaction, account: str, region: str, destination: Destination, now: float) -> Backfill:
    """Start a backfill. Raises AwsError."""
    known = await registry.load(tx, account, region)
    named = [each for rule in known.replication for each in rule["destinations"]]
    if destination not in {Destination(each["region"], each["registryId"]) for each in named}:
        raise errors.ValidationError(
            f"The registry's replication configuration has no destination with the region '{destination.region}' and "
            f"the registry id '{destination.account}'"
        )
    if destination.region in known.backfills.values():
        raise AwsError(
            "ReplicationBackfillInProgressException",
            f"A replication backfill for the destination region '{destination.region}' is already in progress",
        )
    if len(known.backfills) >= _MAX_RUNNING_BACKFILLS:
        raise errors.LimitExceededError(
            f"A registry can have {_MAX_RUNNING_BACKFILLS} replication backfills in progress at most"
        )
    started = Backfill(account, region, uuid4(), destination.name, now)
    _records.save(tx, started)
    registry.save(tx, replace(known, backfills={**known.backfills, started.name: destination.region}))
    BACKFILL.request(tx, account, region, started.name)
    return started


async def stop(tx: Transaction, backfill: Backfill, now: float) -> Backfill:
    """Stop a backfill: at once, or as the replication that is under way has ended. Raises AwsError."""
    status = _STOPS.get(backfill.status)
    if status is None:
        raise AwsError(
            "ReplicationBackfillInvalidStatusException",
            f"The replication backfill with id '{backfill.name}' has the status {backfill.status}, and cannot be "
            "stopped",
        )
    if status in ENDED:
        return await _end(tx, backfill, status, now)
    stopping = replace(backfill, status=status)
    _records.save(tx, stopping)
    BACKFILL.request(tx, backfill.account, backfill.region, backfill.name)
    return stopping


async def _end(tx: Transaction, backfill: Backfill, status: str, now: float, failure: str = "") -> Backfill:
    ended = replace(backfill, status=status, ended=now, failure=failure)
    _records.save(tx, ended)
    known = await registry.load(tx, backfill.account, backfill.region)
    running = {id: region for id, region in known.backfills.items() if id != backfill.name}
    registry.save(tx, replace(known, backfills=running))
    pending = _PENDING.sub(backfill.name)
    tx.delete_range(pending.begin, pending.end)
    tx.put(_END_TIMES.key(int(now), backfill.account, backfill.region, backfill.name), b"")
    return ended


async def _advance(block: Block, key: Key) -> float | None:
    """Do some of what is left of a backfill."""
    account, region, id = key

    async def load(tx: Transaction) -> tuple[Backfill | None, list[Key]]:
        space = _PENDING.sub(id)
        rows = await tx.range(space.begin, space.end, limit=_BATCH)
        return await _records.find(tx, account, region, id), [space.unpack(row) for row, _ in rows]

    backfill, pending = await block.store.transact(load)
    if backfill is None or backfill.status in ENDED:
        return None
    if backfill.status == PREPARING:
        await block.store.transact(lambda tx: _prepare(tx, key, block.clock.now()))
        return 0
    if backfill.status == STOPPING or not pending:
        await block.store.transact(lambda tx: _finish(tx, key, block.clock.now()))
        return None
    destination = Destination(*backfill.destination.split("/"))
    for name, digest, tag in pending:
        failure = await replicating.replicate(block, (account, region, name), digest, tag, destination)
        result = BackfillResult(name, digest, tag, failure)
        status = await block.store.transact(lambda tx: _record(tx, key, result, block.clock.now()))  # noqa: B023
        if status != IN_PROGRESS:
            break
    return 0


async def _prepare(tx: Transaction, key: Key, now: float) -> None:
    """Find some of the images that are to be replicated."""
    backfill = await _records.get(tx, *key)
    if backfill.status != PREPARING:
        return
    space = repository.get_space(backfill.account, backfill.region)
    rows = await tx.range(space.key(backfill.repository), space.end, limit=1)
    if not rows:
        _records.save(tx, replace(backfill, status=IN_PROGRESS, is_prepared=True, repository="", digest=""))
        return
    source = repository.decode(rows[0][1])
    digest = backfill.digest if source.name == backfill.repository else ""
    last, count = await _prepare_some(tx, backfill, source, digest)
    # The least name that comes after another one is that with a zero behind it.
    name = source.name if last else source.name + "\0"
    _records.save(tx, replace(backfill, repository=name, digest=last, total=backfill.total + count))


async def _prepare_some(tx: Transaction, backfill: Backfill, source: Repository, after: str) -> tuple[str, int]:
    """Note replications of images of a repository that come after a digest.

    Return the digest of the last one, or an empty text where there are no more, and how many replications they are.
    """
    if not await replicating.is_replicated(tx, source, Destination(*backfill.destination.split("/"))):
        return "", 0
    space = images.get_space(source)
    begin = space.key(after) + b"\x00" if after else space.begin
    found = [images.decode(raw) for _, raw in await tx.range(begin, space.end, limit=_READ_ROWS)]
    count = 0
    for image in found:
        if image.status != ACTIVE:
            continue
        if not image.tags and await images.list_active_parents(tx, source, image.digest):
            continue
        for tag in image.tags or ("",):
            tx.put(_PENDING.key(backfill.name, source.name, image.digest, tag), b"")
            count += 1
    return (found[-1].digest if len(found) == _READ_ROWS else ""), count


async def _record(tx: Transaction, key: Key, result: BackfillResult, now: float) -> str:
    """Write the result of a replication; return the status of its backfill."""
    backfill = await _records.get(tx, *key)
    place = result.repository, result.digest, result.tag
    pending = _PENDING.key(backfill.name, *place)
    if backfill.status in ENDED or await tx.get(pending) is None:
        return backfill.status
    tx.delete(pending)
    tx.put(_RESULTS.key(backfill.name, *place), _encode(result))
    if result.failure:
        failures = tuple(dict.fromkeys((*backfill.failures, result.failure)))
        backfill = replace(backfill, failed=backfill.failed + 1, failures=failures)
    else:
        backfill = replace(backfill, completed=backfill.completed + 1)
    _records.save(tx, backfill)
    count = backfill.completed + backfill.failed
    if count >= _MIN_JUDGED_REPLICATIONS and backfill.failed * 2 >= count:
        return (await _end(tx, backfill, FAILED, now, _FAILURE)).status
    return backfill.status


async def _finish(tx: Transaction, key: Key, now: float) -> None:
    """End a backfill that is to stop, or of which nothing is left."""
    backfill = await _records.get(tx, *key)
    if backfill.status in (IN_PROGRESS, STOPPING):
        await _end(tx, backfill, STOPPED if backfill.status == STOPPING else COMPLETE, now)


BACKFILL: Final = Reconciler("backfill-run", _advance)
"""Account, region, id."""


async def remove_old(block: Block) -> None:
    """Remove backfills that ended 90 days ago, until the block ends."""

    async def delete(tx: Transaction, key: bytes) -> None:
        _, account, region, id = _END_TIMES.unpack(key)
        backfill = await _records.find(tx, account, region, id)
        if backfill is not None:
            _records.remove(tx, backfill)
            results = _RESULTS.sub(id)
            tx.delete_range(results.begin, results.end)

    await delete_expired(block, _END_TIMES, _KEPT_SECONDS, delete)


def to_api(backfill: Backfill) -> dict[str, Any]:
    """Return a backfill as the API shows it."""
    region, _, account = backfill.destination.partition("/")
    return {
        "replicationBackfillId": backfill.name,
        "destination": {"region": region, "registryId": account},
        "status": backfill.status,
        "failureCode": backfill.failure or None,
        "progress": _show_progress(backfill) if backfill.is_prepared else None,
        "startedAt": backfill.started,
        "endedAt": backfill.ended or None,
    }


def _show_progress(backfill: Backfill) -> dict[str, Any]:
    return {
        "totalReplicationCount": backfill.total,
        "completedReplicationCount": backfill.completed,
        "failedReplicationCount": backfill.failed,
        "failureCodes": list(backfill.failures),
    }
