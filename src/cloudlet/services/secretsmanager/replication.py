"""Replicas: the same secret in other regions, under keys of those regions.

User guide, "Replicate AWS Secrets Manager secrets across Regions". A replica is written in the transaction that writes
its primary; one that KMS does not encrypt a value for has failed, and stays as it was until it is replicated again.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.services.secretsmanager import deletion, encryption, secret, trail_events, version
from cloudlet.services.secretsmanager.encryption import MANAGED_KEY
from cloudlet.services.secretsmanager.secret_record import Replica, Secret
from cloudlet.services.secretsmanager.version_record import Ciphertext

IN_SYNC = "InSync"
FAILED = "Failed"
_SUCCEEDED = "Replication succeeded"


def is_replica_of(there: Secret, primary: Secret) -> bool:
    """Whether a secret in another region is a replica of this one."""
    return there.suffix == primary.suffix and there.primary_region == primary.region


def make_replica(primary: Secret, region: str, replica: Replica) -> Secret:
    """Return the record of a replica that has no versions yet."""
    return replace(
        primary,
        region=region,
        kms_key=replica.kms_key,
        versions=0,
        accessed=0.0,
        primary_region=primary.region,
        replicas={},
        rotation=None,
    )


async def encrypt_for_replicas(
    ctx: Context, primary: Secret, id: str, value: bytes
) -> dict[str, Ciphertext | AwsError]:
    """Return a new version's value for each replica in sync, by region.

    Where KMS does not encrypt it, that is the error.
    """
    sealed: dict[str, Ciphertext | AwsError] = {}
    for region, replica in primary.replicas.items():
        if replica.status == IN_SYNC:
            try:
                sealed[region] = await encryption.encrypt(ctx, make_replica(primary, region, replica), id, value)
            except AwsError as error:
                sealed[region] = error
    return sealed


async def update_replicas(
    tx: Transaction,
    block: Block,
    primary: Secret,
    added: str = "",
    sealed: dict[str, Ciphertext | AwsError] | None = None,
    *,
    is_binary: bool = False,
    removed: list[str] | None = None,
) -> Secret:
    """Make the replicas like their primary, and return that, which is to be saved.

    `added` is the id of a new version, `sealed` its value for each region; `removed` are versions that are gone.
    """
    replicas = dict(primary.replicas)
    for region, replica in primary.replicas.items():
        before = await secret.find(tx, primary.account, region, primary.name)
        if replica.status != IN_SYNC or before is None:
            continue
        value = (sealed or {}).get(region)
        if isinstance(value, AwsError):
            replicas[region] = replace(replica, status=FAILED, message=f"Replication failed: {value.message}")
            trail_events.add(tx, block, before, "ReplicationFailed", value.message)
            continue
        after = replace(make_replica(primary, region, replica), versions=before.versions, accessed=before.accessed)
        if value is not None:
            after = version.add(tx, after, added, value, block.clock.now(), is_binary=is_binary)
        for id in removed or ():
            after = await version.remove(tx, after, id)
        secret.save(tx, after, before)
    return replace(primary, replicas=replicas)


async def replicate(ctx: Context, primary: Secret, regions: dict[str, str], *, overwrites: bool) -> Secret | None:
    """Make replicas in regions with KMS keys, by region; return the primary that knows them.

    None where it has changed meanwhile. Raises AwsError.
    """
    copies = await _copy_versions(ctx, primary, regions)

    async def body(tx: Transaction) -> Secret | None:
        fresh = await secret.find(tx, primary.account, primary.region, primary.name)
        if fresh != primary:
            return None
        replicas = dict(primary.replicas)
        for region, kms_key in regions.items():
            replicas[region] = await _create(ctx, tx, primary, region, kms_key, copies[region], overwrites)
        changed = replace(primary, replicas=replicas)
        secret.save(tx, changed, primary)
        return changed

    return await ctx.transact(body)


Copies = dict[str, tuple[Ciphertext, bool]]
"""Encrypted values, and whether they are binary, by the ids of their versions."""


async def _copy_versions(ctx: Context, primary: Secret, regions: dict[str, str]) -> dict[str, Copies | AwsError]:
    """Return the versions with labels of a secret, encrypted for each region. Raises AwsError."""

    async def read(tx: Transaction) -> list[tuple[Any, bytes]]:
        found = [await version.find(tx, primary, id) for id in dict.fromkeys(primary.stages.values())]
        return [(each, await version.read_ciphertext(tx, primary, each.id)) for each in found if each is not None]

    values = [
        (each, await encryption.decrypt(ctx, primary, each, ciphertext))
        for each, ciphertext in await ctx.transact(read)
    ]
    copies: dict[str, Copies | AwsError] = {}
    for region, kms_key in regions.items():
        place = make_replica(primary, region, Replica(kms_key, IN_SYNC, ""))
        try:
            copies[region] = {
                each.id: (await encryption.encrypt(ctx, place, each.id, value), each.is_binary)
                for each, value in values
            }
        except AwsError as error:
            copies[region] = error
    return copies


async def _create(
    ctx: Context,
    tx: Transaction,
    primary: Secret,
    region: str,
    kms_key: str,
    copies: Copies | AwsError,
    overwrites: bool,
) -> Replica:
    """Write a replica with its versions, and return what became of it."""
    replica = Replica(kms_key, IN_SYNC, _SUCCEEDED)
    made = make_replica(primary, region, replica)
    trail_events.add(tx, ctx.block, made, "ReplicationStarted")
    there = await secret.find(tx, primary.account, region, primary.name)
    is_own = there is not None and is_replica_of(there, primary)
    reason = copies.message if isinstance(copies, AwsError) else ""
    if there is not None and not is_own and (not overwrites or there.replicas):
        reason = f"Secret name {primary.name} already exists in region {region}."
    if isinstance(copies, AwsError) or reason:
        trail_events.add(tx, ctx.block, made, "ReplicationFailed", reason)
        return Replica(kms_key, FAILED, f"Replication failed: {reason}")
    if there is not None:
        await deletion.delete(tx, there)
    for id, (sealed, is_binary) in copies.items():
        made = version.add(tx, made, id, sealed, ctx.now(), is_binary=is_binary)
    secret.save(tx, made, None)
    trail_events.add(tx, ctx.block, made, "ReplicationSucceeded")
    return replica


async def list_statuses(tx: Transaction, primary: Secret) -> list[dict[str, Any]]:
    """Return the replicas of a secret as the API has them."""
    statuses = []
    for region, replica in primary.replicas.items():
        there = await secret.find(tx, primary.account, region, primary.name)
        accessed = there.accessed if there is not None and is_replica_of(there, primary) else 0.0
        statuses.append(
            {
                "Region": region,
                "KmsKeyId": replica.kms_key or MANAGED_KEY,
                "Status": replica.status,
                "StatusMessage": replica.message,
                "LastAccessedDate": accessed or None,
            }
        )
    return statuses
