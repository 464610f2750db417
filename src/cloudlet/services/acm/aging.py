"""The timers of certificates that grow old: renewal, notices of expiry, expiry."""

from __future__ import annotations

from cloudlet.core import Transaction
from cloudlet.core.background.jobs import start_timers
from cloudlet.core.background.lease import Lease
from cloudlet.core.kernel.block import Block
from cloudlet.services.acm import account, certificate, events, issuing, states, timers
from cloudlet.services.acm.certificate_record import Certificate

Key = tuple[str, str, str]
"""Account, region and id."""
_ACTION_DAYS = (30, 15, 3, 1)
"""The days before expiry on which it is told that a renewal fails.

User guide, "Amazon EventBridge support for ACM"."""
_MAX_TASKS = 20


async def run_timers(block: Block, lease: Lease) -> None:
    """Do what falls due about certificates, for ever."""

    async def list_due(tx: Transaction, count: int) -> list[tuple[int, Key, str]]:
        rows = [timers.DUE.unpack(key) for key, _ in await tx.range(timers.DUE.begin, timers.DUE.end, limit=count)]
        return [(due, (owner, region, name), owner) for due, owner, region, name in rows]

    async def do(due: int, key: Key) -> None:
        await _run_timer(block, due, key)

    what = "looking after the certificate"
    await start_timers(block, lease, timers.TOPIC, list_due, what, do, at_once=_MAX_TASKS)


async def _run_timer(block: Block, due: int, key: Key) -> None:
    found = await block.store.transact(lambda tx: _find(tx, due, key))
    if found is None:
        return
    is_renewable = found.is_eligible and not _has_expired(found, block.clock.now())
    if is_renewable and await issuing.renew(block, found):
        return

    async def body(tx: Transaction) -> None:
        known = await _find(tx, due, key)
        if known is None:
            return
        now = block.clock.now()
        if _has_expired(known, now):
            expired = states.move(timers.cancel(tx, known), states.EXPIRED)
            certificate.save(tx, expired)
            if not expired.is_imported:
                events.tell_expired(tx, expired, now)
            return
        days = timers.count_days_left(known.facts.not_after, now) if known.facts else 0
        if days <= await account.get_notice_days(tx, known):
            events.tell_approaching(tx, known, now)
        if is_renewable and days in _ACTION_DAYS:
            events.tell_action_required(tx, known, now)
        certificate.save(tx, timers.schedule_again(tx, known, now))

    await block.store.transact(body)


async def _find(tx: Transaction, due: int, key: Key) -> Certificate | None:
    """Return the certificate of a timer, which is removed where there is none."""
    found = await certificate.find(tx, *key)
    if found is not None and found.due == due:
        return found
    tx.delete(timers.DUE.key(due, *key))
    return None


def _has_expired(known: Certificate, now: float) -> bool:
    return known.facts is None or now >= known.facts.not_after
