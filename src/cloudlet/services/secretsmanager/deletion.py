"""Deletion of secrets: marked at first, and for good when the recovery window has passed."""

from __future__ import annotations

from functools import partial

from cloudlet.core import Subspace, Transaction
from cloudlet.core.background.jobs import Row, run_timers
from cloudlet.core.kernel.block import Block
from cloudlet.services.secretsmanager import rotation_task, secret, trail_events, version
from cloudlet.services.secretsmanager.secret_record import Secret

TOPIC = b"deletions"
_EXPIRY = Subspace("expiry")


def schedule(tx: Transaction, marked: Secret) -> None:
    """Have a secret deleted when its recovery window has passed."""
    tx.put(_make_key(marked), b"")
    tx.notify(TOPIC)


def cancel(tx: Transaction, marked: Secret) -> None:
    """Let a secret be that is marked for deletion."""
    tx.delete(_make_key(marked))


async def delete(tx: Transaction, gone: Secret) -> None:
    """Delete a secret for good, with all that belongs to it."""
    cancel(tx, gone)
    await rotation_task.stop(tx, gone)
    version.remove_all(tx, gone)
    secret.remove(tx, gone)


def _make_key(marked: Secret) -> bytes:
    return _EXPIRY.key(int(marked.expires * 1000), marked.account, marked.region, marked.name, marked.suffix)


async def delete_expired(block: Block) -> None:
    """Delete secrets whose recovery window has passed, until the block ends."""
    await run_timers(block, TOPIC, _EXPIRY, "the secret", partial(_delete_expired, block))


async def _delete_expired(block: Block, tx: Transaction, row: Row, _: float) -> None:
    _, account, region, name, suffix = row
    found = await secret.find(tx, account, region, name)
    if found is not None and found.suffix == suffix and found.deleted:
        await delete(tx, found)
        trail_events.add(tx, block, found, "EndSecretVersionDelete")
