"""Issues certificates once the records of their domains are there. After 72 hours it gives up.

User guide, "DNS validation": ACM looks again and again. Requests that need no records do not come here.
"""

from __future__ import annotations

import asyncio
from functools import partial

from msgspec.structs import replace

from cloudlet.core import Transaction
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.background.lease import Lease
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import back_off, watching
from cloudlet.services.acm import certificate, events, issuing, states, validation
from cloudlet.services.acm.certificate_record import Certificate

_MAX_PENDING_SECONDS = 72 * 3600
_LOOK_SECONDS = 2.0
_MAX_TASKS = 20
_READ = 100


async def validate(block: Block, lease: Lease) -> None:
    """Look for the records of all certificates that are pending, every few seconds, for ever."""
    async with watching(block, certificate.PENDING_TOPIC) as changed, asyncio.TaskGroup() as group:
        works = KeyedTasks(block, at_once=_MAX_TASKS)
        while True:
            changed.clear()
            after, has_some = certificate.PENDING.begin, False
            while rows := await block.store.transact(
                lambda tx, begin=after: tx.range(begin, certificate.PENDING.end, limit=_READ)  # type: ignore[misc]
            ):
                await lease.hold()
                for key, _ in rows:
                    account, region, name = certificate.PENDING.unpack(key)
                    work = partial(_validate, block, account, region, name)
                    works.start(group, key, f"validating the certificate {name}", work, account=account)
                after, has_some = rows[-1][0] + b"\x00", True
            if has_some:
                await back_off(block, _LOOK_SECONDS, changed)
            else:
                await changed.wait()


async def _validate(block: Block, account: str, region: str, name: str) -> None:
    pending = await block.store.transact(lambda tx: certificate.find(tx, account, region, name))
    if pending is None or pending.status != states.PENDING_VALIDATION:
        return
    validated = await validation.list_validated(block, pending)
    made = await issuing.make(block, pending) if validation.has_all(pending, validated) else None
    is_late = block.clock.now() >= pending.created + _MAX_PENDING_SECONDS
    if made is None and not is_late and validated == pending.validated:
        return

    async def body(tx: Transaction) -> None:
        found: Certificate | None = await certificate.find(tx, account, region, name)
        if found is None or found.status != states.PENDING_VALIDATION:
            return
        now = block.clock.now()
        found = replace(found, validated=validated)
        if made is not None:
            issued, material = issuing.to_issued(block, found, made, now)
            issuing.save(tx, issued, material)
            events.tell_available(tx, issued, "ISSUANCE", now)
        else:
            certificate.save(tx, states.move(found, states.VALIDATION_TIMED_OUT) if is_late else found)

    await block.store.transact(body)
