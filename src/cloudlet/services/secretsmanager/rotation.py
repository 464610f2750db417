"""Rotation of secrets: what is scheduled, begun, ended and abandoned. `rotating.py` calls the functions.

User guide, "Rotation by Lambda function". State machine of a secret with rotation, by its `rotation` and its task:

    scheduled --window opens, RotateSecret--> under way --AWSCURRENT is at its version--> scheduled
    under way --a step fails--> under way, until no more attempt is made --> scheduled, AWSPENDING stays
    under way --a new value is put, AWSPENDING is taken away--> abandoned, scheduled
    any --CancelRotateSecret, DeleteSecret--> off
"""

from __future__ import annotations

from functools import partial
from typing import Final

from msgspec.structs import replace

from cloudlet.core import Transaction
from cloudlet.core.background.jobs import Row, run_timers
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.secretsmanager import replication, rotation_schedule, rotation_task, secret, trail_events
from cloudlet.services.secretsmanager.rotation_task import Task
from cloudlet.services.secretsmanager.secret_record import Secret
from cloudlet.services.secretsmanager.staging import CURRENT, PENDING, attach

MIN_ATTEMPTS_SECONDS: Final = 3600
"""A rotation is tried again for so long at least, which is the shortest window."""


def is_pending(about: Secret) -> bool:
    """Whether a rotation has begun and not become the current version."""
    return PENDING in about.stages and about.stages[PENDING] != about.stages.get(CURRENT)


def reschedule(tx: Transaction, about: Secret, now: float) -> Secret:
    """Have a secret's next window open that opens after now, and return the secret."""
    rotation = about.rotation
    rotation_task.unschedule(tx, about)
    if rotation is None:
        return about
    window = rotation_schedule.find_window(rotation.rules, now, rotation.anchor) if rotation.rules else None
    if window is None or not rotation.is_enabled:
        return replace(about, rotation=replace(rotation, opens=0.0, closes=0.0))
    changed = replace(about, rotation=replace(rotation, opens=window.opens, closes=window.closes))
    rotation_task.schedule(tx, changed)
    return changed


async def begin(tx: Transaction, block: Block, about: Secret, version: str, ends: float, *, is_test: bool) -> Secret:
    """Begin a rotation to a version, or a test of it, and return the secret.

    Attempts begin until `ends` (s), for an hour at least.
    """
    now = block.clock.now()
    before = await rotation_task.find(tx, rotation_task.get_key(about))
    task = Task(version, uuid4(), int(now * 1000), int(max(ends, now + MIN_ATTEMPTS_SECONDS) * 1000), is_test)
    rotation_task.save(tx, rotation_task.get_key(about), task, before)
    trail_events.add(tx, block, about, "TestRotationStarted" if is_test else "RotationStarted")
    return replace(about, stages=attach(about.stages, (PENDING,), version))


async def abandon(tx: Transaction, block: Block, about: Secret) -> Secret:
    """End a rotation for a value that is put instead; return the secret.

    The value counts as a rotation. AWSPENDING would block later rotations also where the last one has left it at the
    current version.
    """
    now = block.clock.now()
    task = await rotation_task.find(tx, rotation_task.get_key(about))
    if task is not None:
        rotation_task.remove(tx, rotation_task.get_key(about), task)
    if is_pending(about):
        trail_events.add(tx, block, about, "RotationAbandoned")
    elif task is not None and about.rotation is not None:
        # All that was left to do was to write that down.
        trail_events.add(tx, block, about, "RotationSucceeded")
        about = replace(about, rotation=replace(about.rotation, rotated=now))
    stages = {label: id for label, id in about.stages.items() if label != PENDING}
    return reschedule(tx, replace(about, stages=stages), now)


async def open_windows(block: Block) -> None:
    """Begin rotations when their windows open, until the block ends."""
    await run_timers(
        block, rotation_task.WINDOW_TOPIC, rotation_task.WINDOWS, "the rotation window", partial(_open_window, block)
    )


async def _open_window(block: Block, tx: Transaction, row: Row, now: float) -> None:
    opens, *key = row
    found = await secret.find(tx, *key)
    if found is None or found.rotation is None or int(found.rotation.opens * 1000) != opens or found.deleted:
        return
    if not found.rotation.is_enabled:
        return
    if await rotation_task.find(tx, rotation_task.get_key(found)) is not None:
        # The one that is under way counts for this window, too.
        return
    # One that was given up is tried again.
    version = found.stages[PENDING] if is_pending(found) else uuid4()
    begun = await begin(tx, block, found, version, found.rotation.closes, is_test=False)
    secret.save(tx, await replication.update_replicas(tx, block, replace(begun, changed=now)), found)
