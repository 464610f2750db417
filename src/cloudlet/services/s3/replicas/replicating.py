"""Replicates: copies what waits to the buckets that the rules name, and carries changes of metadata after it.

A replica is a second name for the source's files, with the version's id, time, metadata and tags; of what KMS has
encrypted it is encrypted anew. User guide, "Replicating objects within and across Regions".
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import NamedTuple

import msgspec

from cloudlet.core import AwsError, Context, Transaction
from cloudlet.core.authorization.role_session import make_session
from cloudlet.core.background import keyed_queues
from cloudlet.core.background.fair_semaphore import FairSemaphore
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.background.lease import Lease
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import uuid4
from cloudlet.core.kernel.timing import watching
from cloudlet.core.telemetry.metrics import get_metrics, is_measured
from cloudlet.services.s3.buckets.bucket import configuration, find_bucket
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.notifications import events
from cloudlet.services.s3.object_data import annotating, contents, data_keys, garbage, versions
from cloudlet.services.s3.object_data.annotating import Carried
from cloudlet.services.s3.object_data.contents import ObjectData
from cloudlet.services.s3.object_data.data_cipher import ObjectKey
from cloudlet.services.s3.object_data.objects import Encryption, Version
from cloudlet.services.s3.object_data.reencrypting import copy_annotations, reencrypt
from cloudlet.services.s3.permissions import access
from cloudlet.services.s3.permissions.acl import ENFORCED, private
from cloudlet.services.s3.replicas import replication
from cloudlet.services.s3.replicas.replication import REPLICA, Rule, Task
from cloudlet.store import StoreError

log = logging.getLogger("cloudlet.s3")

_AT_ONCE = 8
_OF_A_BUCKET = 4


async def replicate(block: Block, lease: Lease) -> None:
    """Copy what waits, until the block ends: no bucket waits for another one's, and an account has half at most."""
    places = FairSemaphore(_AT_ONCE, _AT_ONCE // 2)

    async def work_off(number: int) -> None:
        await _work_off(block, lease, places, number)

    await keyed_queues.drain(block, replication.TOPIC, replication.buckets, work_off)


async def _work_off(block: Block, lease: Lease, places: FairSemaphore, number: int) -> None:
    """Copy all that waits of a bucket."""
    async with watching(block, replication.TOPIC) as changed:
        works = KeyedTasks(block, changed)

        async def one(row: bytes) -> None:
            await works.attempt(row, f"the replica of {row!r}", partial(_copy, block, places, row))

        while True:
            changed.clear()
            count = _OF_A_BUCKET + len(works)
            rows = await block.store.transact(lambda tx, count=count: replication.waiting(tx, number, count))  # type: ignore[misc]
            if not rows:
                return
            await lease.hold()
            if found := [row for row in rows if row not in works]:
                await asyncio.gather(*map(one, found))
            else:
                await changed.wait()


async def _copy(block: Block, places: FairSemaphore, row: bytes) -> None:
    """Do the task in a row."""
    found = await block.store.transact(lambda tx: replication.find(tx, row))
    if found is not None:
        source = await block.store.transact(lambda tx: find_bucket(tx, found[1].bucket))
        async with places.hold("" if source is None else source.account):
            await _Copy(block, row, *found).run()


class _Source(msgspec.Struct):
    bucket: Bucket
    version: Version
    contents: ObjectData
    attached: list[Carried]
    rules: list[Rule]
    role: str


class _Material(NamedTuple):
    """The parts of a replica, and the keys of both sides."""

    encryption: Encryption | None
    contents: ObjectData | None = None
    """None where the replica is there."""
    before: ObjectKey | None = None
    key: ObjectKey | None = None


class _Copy:
    """One task."""

    def __init__(self, block: Block, row: bytes, raw: bytes, task: Task) -> None:
        self._block = block
        self._row = row
        self._raw = raw
        self._task = task

    async def run(self) -> None:
        """Make all replicas of a version, or bring them up to date. Raises StoreError."""
        source = await self._block.store.transact(self._source)
        if source is None:
            return
        failed = False
        for rule in source.rules:
            error = None
            try:
                await self._to(source, rule)
            except AwsError as refused:
                log.warning("%s was not replicated to %s: %s", source.bucket.name, rule.bucket, refused.message)
                error, failed = refused, True
            if rule.measured:
                self._measure(source.bucket, rule, error)

        async def settle(tx: Transaction) -> None:
            await self._settle(tx, source, failed=failed)

        await self._block.store.transact(settle)

    def _measure(self, source: Bucket, rule: Rule, error: AwsError | None) -> None:
        """Tell CloudWatch of a replica (user guide, "S3 Replication metrics in CloudWatch")."""
        if not is_measured(self._block):
            return
        now = self._block.clock.now()
        dimensions = (("SourceBucket", source.name), ("DestinationBucket", rule.bucket), ("RuleId", rule.id))
        for metric, unit, value in (
            ("OperationsFailedReplication", "Count", float(error is not None)),
            ("ReplicationLatency", "Seconds", max(0.0, now - self._task.noted)),
        ):
            get_metrics(self._block).add(source.account, source.region, metric, dimensions, now, value, unit=unit)

    async def _source(self, tx: Transaction) -> _Source | None:
        """Return what is to be copied where, or forget the task where that has gone."""
        task = self._task
        bucket = await find_bucket(tx, task.bucket)
        version = None
        if bucket is not None and bucket.number == task.number:
            version = await versions.find(tx, bucket, task.key, task.version_id)
        if bucket is None or version is None:
            replication.done(tx, self._row)
            return None
        found = replication.applicable(await replication.of_bucket(tx, bucket), task.key, version)
        role = (await configuration(tx, bucket, replication.KIND) or {}).get("Role", "")
        attached: list[Carried] = []
        if version.annotations:
            where = await versions.where(tx, bucket, task.key, version)
            attached = await annotating.load_all(tx, bucket, where)
        return _Source(bucket, version, await contents.load(tx, bucket, task.key, version), attached, found, role)

    async def _settle(self, tx: Transaction, source: _Source, *, failed: bool) -> None:
        """Write down what became of it, unless the version was changed again meanwhile."""
        noted = await tx.get(self._row)
        if noted is not None and noted != self._raw:
            return
        replication.done(tx, self._row)
        version = await versions.find(tx, source.bucket, self._task.key, self._task.version_id)
        if version is not None and version.replication == "PENDING" and source.rules:
            outcome = "FAILED" if failed else "COMPLETED"
            await versions.rewrite(
                tx, source.bucket, self._task.key, msgspec.structs.replace(version, replication=outcome)
            )

    async def _make_caller(self, source: _Source) -> Context:
        """Return the call of a session of the rules' role. Raises AwsError."""
        role = make_session(source.role, "s3-replication", by="s3.amazonaws.com")
        endpoint = self._block.cloud.config.endpoint
        ctx = Context(self._block, role, source.bucket.account, source.bucket.region, uuid4(), endpoint, secure=True)
        if ctx.strict:
            ctx.permissions = await self._block.cloud.permissions.load(role)
        return ctx

    async def _to(self, source: _Source, rule: Rule) -> None:
        """Make one replica, or bring it up to date. Raises AwsError, StoreError."""
        ctx = await self._make_caller(source)
        made = await self._copy_contents(ctx, source, rule)
        blobs = [] if made.contents is None else [part.blob for part in made.contents.parts if part.blob]
        carried = await copy_annotations(self._block, source.attached, made.before, made.key)

        async def store(tx: Transaction) -> list[str]:
            return await self._store(ctx, tx, source, rule, made, blobs, carried)

        try:
            await self._block.blobs.remove(await self._block.store.transact(store))
        except AwsError:
            await self._block.blobs.remove([*blobs, *annotating.blobs_of(carried)])
            raise

    async def _copy_contents(self, ctx: Context, source: _Source, rule: Rule) -> _Material:
        """Make the contents of a replica, in files that have yet to be claimed. Raises AwsError.

        Of what KMS has encrypted it gets a data key of its own, under the key that the rule names.
        """
        how, key = source.version.encryption, self._task.key
        if how is None or not how.kms_key:
            return _Material(how, await contents.linked(self._block, source.contents))
        target, replica = await self._block.store.transact(lambda tx: self._find_replica(ctx, tx, source, rule))
        if replica is not None or source.version.replication == REPLICA:
            if replica is None or not source.attached:
                return _Material(how)
            before = await data_keys.unlock(ctx, source.bucket, key, how)
            return _Material(how, None, before, await data_keys.unlock(ctx, target, key, replica.encryption))
        before = await data_keys.unlock(ctx, source.bucket, key, how)
        wanted = Encryption(how.algorithm, rule.kms_key or how.kms_key, bucket_key=how.bucket_key)
        made, data_key = await data_keys.generate(ctx, target, key, wanted)
        nonce = made.salt.hex()
        copied = await reencrypt(self._block, source.version, source.contents, before, data_key, nonce)
        return _Material(made, copied, before, data_key)

    async def _find_replica(
        self, ctx: Context, tx: Transaction, source: _Source, rule: Rule
    ) -> tuple[Bucket, Version | None]:
        """Return the bucket of a replica, and the replica, if it is there already. Raises AwsError."""
        await self._check_source(ctx, tx, source)
        target = await self._target(ctx, tx, source, rule)
        return target, await versions.find(tx, target, self._task.key, source.version.id)

    async def _store(
        self,
        ctx: Context,
        tx: Transaction,
        source: _Source,
        rule: Rule,
        made: _Material,
        blobs: list[str],
        carried: list[Carried],
    ) -> list[str]:
        """Write a replica; return the files that it has not taken."""
        key, version = self._task.key, source.version
        await self._check_source(ctx, tx, source)
        target = await self._target(ctx, tx, source, rule)
        replica = _replica(source, target, rule, made.encryption)
        if replica.tags and not await self._can_copy_tags(ctx, tx, source, target):
            replica = msgspec.structs.replace(replica, tags={})
        now = int(self._block.clock.now() * 1000)
        before = await versions.find(tx, target, key, version.id)
        if before is not None:
            kept = msgspec.structs.replace(
                before, tags=replica.tags, acl=replica.acl, lock=replica.lock, annotations=len(carried)
            )
            await versions.rewrite(tx, target, key, kept)
            if before.annotations or carried:
                await self._annotate(tx, target, kept, carried, now)
            return blobs
        if version.replication == REPLICA:
            # Changes are carried back to where it is from, and to nobody else.
            return [*blobs, *annotating.blobs_of(carried)]
        copied = made.contents
        if copied is None:
            raise StoreError("the replica was removed meanwhile")
        garbage.claim(tx, blobs)
        if version.parts:
            written = await versions.put(tx, target, key, replica, now, parts=copied.parts)
        else:
            named = msgspec.structs.replace(replica, blob=blobs[0] if blobs else "")
            written = await versions.put(tx, target, key, named, now, data=copied.data)
        if carried:
            await self._annotate(tx, target, written, carried, now)
        name = "ObjectRemoved:DeleteMarkerCreated" if version.marker else "ObjectCreated:Put"
        await events.note(self._block, tx, target, name, key, written)
        return []

    async def _annotate(
        self, tx: Transaction, target: Bucket, replica: Version, carried: list[Carried], now: int
    ) -> None:
        """Give a replica the annotations of its source."""
        where = await versions.where(tx, target, self._task.key, replica)
        await annotating.replace_all(tx, target, where, carried, now)

    async def _check_source(self, ctx: Context, tx: Transaction, source: _Source) -> None:
        """Raise AwsError unless the role may read what is replicated.

        User guide, "Setting up permissions for live replication".
        """
        await access.authorize(ctx, tx, source.bucket, "s3:GetReplicationConfiguration")
        if source.version.marker:
            await access.authorize(ctx, tx, source.bucket, "s3:ListBucket")
            return
        for action in ("s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl"):
            await access.authorize(ctx, tx, source.bucket, action, key=self._task.key, version=source.version)

    async def _can_copy_tags(self, ctx: Context, tx: Transaction, source: _Source, target: Bucket) -> bool:
        """Whether the role may replicate the tags, too: without that, objects are replicated without them."""
        key, version = self._task.key, source.version
        try:
            await access.authorize(ctx, tx, source.bucket, "s3:GetObjectVersionTagging", key=key, version=version)
            await access.authorize(ctx, tx, target, "s3:ReplicateTags", key=key)
        except AwsError:
            return False
        return True

    async def _target(self, ctx: Context, tx: Transaction, source: _Source, rule: Rule) -> Bucket:
        """Return the bucket of a replica, if the rule's role may write to it. Raises AwsError."""
        target = await find_bucket(tx, rule.bucket)
        if target is None or target.versioning != "Enabled":
            raise AwsError("InvalidRequest", "the destination bucket is not there, or has no versioning", status=400)
        actions = ["s3:ReplicateDelete" if source.version.marker else "s3:ReplicateObject"]
        if rule.account is not None and target.ownership != ENFORCED:
            # User guide, "Changing the replica owner": where ACLs are off that needs no permission.
            actions.append("s3:ObjectOwnerOverrideToBucketOwner")
        for action in actions:
            await access.authorize(ctx, tx, target, action, key=self._task.key)
        return target


def _replica(source: _Source, target: Bucket, rule: Rule, encryption: Encryption | None) -> Version:
    """Return the record of a replica."""
    version = source.version
    acl = version.acl
    if rule.account is not None or target.ownership == ENFORCED:
        acl = None
    elif acl is None and target.account != source.bucket.account:
        acl = private(source.bucket.account)
    return msgspec.structs.replace(
        version,
        encryption=encryption,
        storage_class=rule.storage_class or version.storage_class,
        replication=REPLICA,
        restore=None,
        acl=acl,
    )
