"""Lifecycle policies at work: each hour by the cloud's clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from cloudlet.core import Transaction
from cloudlet.core.background.jobs import Row, run_timers
from cloudlet.core.background.reconciler import Key, Reconciler
from cloudlet.core.background.workers import offload_if
from cloudlet.core.kernel.block import Block
from cloudlet.services.ecr import deleting, errors, images, lifecycle_policy, repository, storage_class
from cloudlet.services.ecr.image_record import Image
from cloudlet.services.ecr.lifecycle_policy import Outcome
from cloudlet.services.ecr.lifecycle_timers import DUE, TOPIC, schedule
from cloudlet.services.ecr.repository_record import Repository

_MAX_IMAGES: Final = 200
"""Images that are evaluated on the event loop, and that are changed in one transaction."""


class _State(NamedTuple):
    """A repository with all its images."""

    repository: Repository
    images: list[Image]


async def evaluate(account: str, text: str, known: list[Image], now: float) -> list[Outcome]:
    """Return what becomes of images by a policy."""
    rules = lifecycle_policy.parse(text)
    return await offload_if(len(known) > _MAX_IMAGES, account, lifecycle_policy.evaluate, rules, known, now)


async def _carry_out(block: Block, key: Key) -> None:
    """Delete or archive images as the policy of a repository says."""
    account, region, name, id = key

    async def load(tx: Transaction) -> _State | None:
        found = await repository.find(tx, account, region, name)
        if found is None or found.id != id or not found.lifecycle:
            return None
        return _State(found, [image async for image in images.walk(tx, found)])

    state = await block.store.transact(load)
    if state is None:
        return
    now = block.clock.now()
    try:
        outcomes = await evaluate(account, state.repository.lifecycle, state.images, now)
    except errors.InvalidParameter:
        # An older Cloudlet took it.
        return
    for begin in range(0, len(outcomes), _MAX_IMAGES):
        batch = outcomes[begin : begin + _MAX_IMAGES]
        await block.store.transact(lambda tx: _apply(tx, state.repository, batch, now))  # noqa: B023

    async def note(tx: Transaction) -> None:
        found = await repository.find(tx, account, region, name)
        if found is not None and found.id == id and found.lifecycle:
            repository.save(tx, replace(found, evaluated=now))

    await block.store.transact(note)


async def _apply(tx: Transaction, about: Repository, outcomes: Sequence[Outcome], now: float) -> None:
    """Delete or archive images, but those that have changed since they were evaluated."""
    found = await repository.find(tx, about.account, about.region, about.name)
    if found is None or found.id != about.id or found.lifecycle != about.lifecycle:
        return
    for outcome in outcomes:
        if await images.find(tx, found, outcome.image.digest) != outcome.image:
            continue
        if outcome.action == "expire":
            await deleting.remove(tx, found, outcome.image, now)
        else:
            images.save(tx, found, storage_class.change(outcome.image, "ARCHIVE", now))


LIFECYCLE: Final = Reconciler("lifecycle", _carry_out)
"""Account, region, name and id of a repository whose policy is to be carried out."""


async def _request(tx: Transaction, row: Row, now: float) -> None:
    due, account, region, name, id = row
    found = await repository.find(tx, account, region, name)
    if found is None or found.id != id or found.lifecycle_due != due or not found.lifecycle:
        return
    repository.save(tx, schedule(tx, found, now))
    LIFECYCLE.request(tx, account, region, name, id)


async def run(block: Block) -> None:
    """Have lifecycle policies carried out as they fall due, until the block ends."""
    await run_timers(block, TOPIC, DUE, "having a lifecycle policy carried out:", _request)
