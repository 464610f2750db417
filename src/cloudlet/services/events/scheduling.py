"""Runs rules by their schedules. What fell due while nothing ran happens once, then the schedule goes on."""

from __future__ import annotations

from msgspec.structs import replace

from cloudlet.core import Subspace, Transaction
from cloudlet.core.background.jobs import Row, run_timers
from cloudlet.core.kernel.block import Block
from cloudlet.services.events import event, outbox, rule, schedule
from cloudlet.services.events.bus_record import Place
from cloudlet.services.events.rule_record import Rule

TOPIC = b"schedules"
_DUE = Subspace("due")


def enter(tx: Transaction, changed: Rule, now: float) -> Rule:
    """Return a rule with when it runs next, after `now` (s), having entered that instead of what was."""
    leave(tx, changed)
    following = schedule.parse(changed.schedule)(now) if changed.schedule and changed.enabled else None
    if following is None:
        return replace(changed, due=0)
    scheduled = replace(changed, due=int(following * 1000))
    tx.put(_key(scheduled), b"")
    tx.notify(TOPIC)
    return scheduled


def leave(tx: Transaction, gone: Rule) -> None:
    """Let a rule run no more."""
    if gone.due:
        tx.delete(_key(gone))


def _key(scheduled: Rule) -> bytes:
    return _DUE.key(scheduled.due, *scheduled.place, scheduled.name)


async def run(block: Block) -> None:
    """Run rules when they are due, until the block ends."""
    await run_timers(block, TOPIC, _DUE, "the rule", _run)


async def _run(tx: Transaction, row: Row, now: float) -> None:
    """Run a rule that is due."""
    due, account, region, bus, name = row
    found = await rule.find(tx, Place(account, region, bus), name)
    if found is None or found.due != due:
        return
    made = event.made(
        source="aws.events",
        kind="Scheduled Event",
        account=account,
        region=region,
        time=due / 1000,
        resources=(found.arn,),
        detail="{}",
    )
    for target in await rule.targets(tx, found):
        outbox.save(tx, outbox.made(found, target, event.text(made), now))
    rule.save(tx, enter(tx, found, now))
