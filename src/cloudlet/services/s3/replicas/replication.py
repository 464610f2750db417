"""Replication rules: which objects of a bucket are copied to which buckets; and what waits to be copied.

User guide, "Replicating objects within and across Regions" ("What does Amazon S3 replicate?", "Replication
configuration file elements", "Replicating metadata changes").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.core.background.keyed_queues import list_queues
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.object_data import versions
from cloudlet.services.s3.object_data.objects import Version

KIND = "replication"
TOPIC = b"replication"
REPLICA = "REPLICA"

_WAITING = Subspace("replicate")
_CHANGES = ("ObjectTagging", "ObjectAcl", "ObjectLock", "ObjectRetention", "ObjectAnnotation")


class Rule(NamedTuple):
    """An enabled rule of a bucket."""

    id: str
    priority: int
    prefix: str
    tags: tuple[tuple[str, str], ...]
    bucket: str
    """The name of the destination."""
    storage_class: str | None
    account: str | None
    """The account to own the replicas, where that is not the one that owns the objects."""
    markers: bool
    """Whether delete markers are replicated."""
    kms: bool
    """Whether objects are that KMS has encrypted."""
    kms_key: str
    """The key for their replicas."""
    replica_changes: bool
    """Whether changes of a replica's metadata are carried back."""
    measured: bool
    """Whether CloudWatch is told of it."""

    def concerns(self, key: str, version: Version) -> bool:
        if not key.startswith(self.prefix):
            return False
        if version.marker:
            return self.markers
        kms = version.encryption is not None and version.encryption.algorithm.startswith("aws:kms")
        return (self.kms or not kms) and all(version.tags.get(name) == value for name, value in self.tags)


def rules(configuration: Mapping[str, Any]) -> tuple[Rule, ...]:
    """Return the enabled rules of a replication configuration."""
    return tuple(_rule(rule) for rule in configuration["Rules"] if rule["Status"] == "Enabled")


def _rule(rule: Mapping[str, Any]) -> Rule:
    chosen = rule.get("Filter")
    conditions = (chosen or {}).get("And") or chosen or {}
    tags = conditions.get("Tags") or ([conditions["Tag"]] if conditions.get("Tag") else [])
    destination = rule["Destination"]
    criteria = rule.get("SourceSelectionCriteria") or {}
    translated = destination.get("AccessControlTranslation") is not None
    return Rule(
        id=rule.get("ID") or "",
        priority=rule.get("Priority") or 0,
        prefix=rule.get("Prefix") or conditions.get("Prefix") or "",
        tags=tuple((tag["Key"], tag["Value"]) for tag in tags),
        bucket=destination["Bucket"].rpartition(":")[2],
        storage_class=destination.get("StorageClass"),
        account=destination.get("Account") if translated else None,
        # Rules of the first version, which have no filter, replicate delete markers always.
        markers=chosen is None or _enabled(rule, "DeleteMarkerReplication"),
        kms=_enabled(criteria, "SseKmsEncryptedObjects"),
        kms_key=(destination.get("EncryptionConfiguration") or {}).get("ReplicaKmsKeyID") or "",
        replica_changes=_enabled(criteria, "ReplicaModifications"),
        # CloudWatch takes names of ASCII only.
        measured=_enabled(destination, "Metrics") and (rule.get("ID") or "").isascii(),
    )


def _enabled(holder: Mapping[str, Any], name: str) -> bool:
    return bool((holder.get(name) or {}).get("Status") == "Enabled")


def applicable(all_rules: Iterable[Rule], key: str, version: Version) -> list[Rule]:
    """Return the rules by which a version is replicated: for each destination the one of the highest priority.

    Of replicas only changes are, where rules say so.
    """
    chosen: dict[str, Rule] = {}
    for rule in all_rules:
        if version.replication == REPLICA and not rule.replica_changes:
            continue
        if rule.concerns(key, version) and (rule.bucket not in chosen or rule.priority > chosen[rule.bucket].priority):
            chosen[rule.bucket] = rule
    return list(chosen.values())


@lru_cache(256)
def _rules(raw: bytes) -> tuple[Rule, ...]:
    return rules(msgspec.msgpack.decode(raw))


async def of_bucket(tx: Transaction, bucket: Bucket) -> tuple[Rule, ...]:
    """Return the enabled rules of a bucket."""
    raw = await tx.get(bucket.configurations.key(KIND)) if KIND in bucket.kinds else None
    return () if raw is None else _rules(raw)


class Task(msgspec.Struct, frozen=True, array_like=True):
    """A version that is to be copied, or whose changed metadata are. `noted` is in seconds since the epoch."""

    bucket: str
    number: int
    """The bucket's."""
    key: str
    version_id: str
    noted: float
    change: bytes = b""
    """Tells it apart from one that is noted later, also where the clock stands."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Task).decode


async def enqueue(block: Block, tx: Transaction, bucket: Bucket, name: str, key: str, version: Version) -> None:
    """Note what an event makes to be replicated, if rules say so, and mark the version as pending."""
    head = name.partition(":")[0]
    changed = head in _CHANGES
    if not (changed or head == "ObjectCreated" or (head == "ObjectRemoved" and version.marker)):
        return
    # What was there before the rules, or came as a replica, is not replicated; nor are changes of the former.
    if (not version.replication) if changed else (version.replication == REPLICA):
        return
    if not applicable(await of_bucket(tx, bucket), key, version):
        return
    if version.replication != REPLICA and not version.marker:
        await versions.rewrite(tx, bucket, key, msgspec.structs.replace(version, replication="PENDING"))
    task = Task(bucket.name, bucket.number, key, version.id, block.clock.now(), random_bytes(8))
    # One row a version: what is changed again before it is copied is copied once.
    tx.put(_WAITING.key(bucket.number, key, version.id), _encode(task))
    tx.notify(TOPIC)


async def buckets(tx: Transaction, after: int | None, limit: int) -> list[int]:
    """Return the numbers of up to `limit` buckets of which something waits, those that follow another one."""
    found = await list_queues(tx, _WAITING, 1, None if after is None else (after,), limit)
    return [number for (number,) in found]


async def waiting(tx: Transaction, number: int, count: int) -> list[bytes]:
    """Return the keys of up to `count` tasks of a bucket."""
    space = _WAITING.sub(number)
    return [key for key, _ in await tx.range(space.begin, space.end, limit=count)]


async def find(tx: Transaction, key: bytes) -> tuple[bytes, Task] | None:
    """Return a task, and as it is stored; None where it is done."""
    raw = await tx.get(key)
    return None if raw is None else (raw, _decode(raw))


def done(tx: Transaction, key: bytes) -> None:
    """Take a task out."""
    tx.delete(key)
