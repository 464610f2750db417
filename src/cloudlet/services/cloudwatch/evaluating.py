"""Evaluates alarms when they are due: metric alarms every minute, or every ten seconds for shorter periods than that;
composite alarms when one that they depend on has changed.
"""

from __future__ import annotations

import asyncio
import json
import logging
from functools import partial

from cloudlet.core import AwsError, Transaction
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.background.lease import Lease
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import wait_until, watching
from cloudlet.services.cloudwatch import alarm as alarms
from cloudlet.services.cloudwatch import alarm_data, alarm_rule, changing, reasons
from cloudlet.services.cloudwatch.alarm import COMPOSITE, Alarm, Evaluation
from cloudlet.services.cloudwatch.alarm_data import Datapoints
from cloudlet.services.cloudwatch.asker import Asker
from cloudlet.services.cloudwatch.judging import COMPARISONS, Verdict, judge
from cloudlet.services.cloudwatch.times import spoken

log = logging.getLogger("cloudlet.cloudwatch")

_AT_ONCE = 100
_TOGETHER = 20
"""So many are evaluated side by side: they share a synchronisation of the disk."""
_FAR_SECONDS = 365 * 86400.0
_MOST_VISITED = 1000

LATE_SECONDS = 0.25
"""For so long (whatever the clock) evaluations wait for values that come in when a minute is full: blocks send theirs
then."""


async def evaluate_alarms(block: Block, lease: Lease) -> None:
    """Evaluate alarms for ever, each when it is due."""
    waited_for = 0
    async with watching(block, alarms.TOPIC) as event, asyncio.TaskGroup() as group:
        works = KeyedTasks(block, event, _TOGETHER)
        while True:
            event.clear()
            listed = await block.store.transact(lambda tx: alarms.scheduled(tx, _AT_ONCE + len(works)))
            # What cannot be evaluated is a work of its own again once it is changed: it is due at once then.
            rows = [row for row in listed if row not in works]
            now = block.clock.now()
            due = [row for row in rows if row.due <= now * 1000]
            if not due:
                await wait_until(block, event, rows[0].due / 1000 if rows else now + _FAR_SECONDS)
                continue
            await lease.hold()
            # Composite alarms look at states, and do not wait for values: a metric alarm that SetAlarmState has set
            # may be back in its own state by the time that it is evaluated.
            if composite := [row for row in due if row.is_composite]:
                async with asyncio.TaskGroup() as first_of_all:
                    await _start(block, works, event, first_of_all, composite)
            elif ready := [row for row in due if row.due <= waited_for]:
                await _start(block, works, event, group, ready)
            else:
                waited_for = int(now * 1000)
                await asyncio.sleep(LATE_SECONDS)


async def _start(
    block: Block, works: KeyedTasks, changed: asyncio.Event, group: asyncio.TaskGroup, rows: list[Evaluation]
) -> None:
    """Begin to evaluate alarms, each as soon as there is room: one that takes long keeps no others from theirs."""
    for row in rows:
        while works.free_slots <= 0:
            changed.clear()
            await changed.wait()
        what = f"the evaluation of the alarm {row.name} of {row.account} in {row.region}"
        works.start(group, row, what, partial(_evaluate, block, row))


async def _evaluate(block: Block, row: Evaluation) -> None:
    due, account, region, name, _ = row
    now = block.clock.now()
    asker = Asker(block.store, account, region, now)
    alarm = await block.store.transact(lambda tx: alarms.find(tx, account, region, name))
    if alarm is None or alarm.due != due:
        return
    found: Datapoints | None = None
    if alarm.kind != COMPOSITE:
        try:
            found = await alarm_data.datapoints(asker, alarm)
        except AwsError as error:
            # What was checked when the alarm was put can fail all the same, with the data that there are now.
            log.warning("%s cannot be evaluated: %s", alarm.arn, error)

    async def body(tx: Transaction) -> None:
        fresh = await alarms.find(tx, account, region, name)
        if fresh is None or fresh.due != due:
            return
        is_same = fresh.configured == alarm.configured
        alarms.schedule(tx, fresh, None)
        if fresh.kind == COMPOSITE:
            await _evaluate_rule(tx, fresh, now)
        else:
            alarms.schedule(tx, fresh, alarm_data.next_due(fresh, now) if is_same else int(now * 1000))
            if is_same and found is not None:
                await _judge(tx, fresh, found, now)
            await changing.follow(tx, fresh, now)
        alarms.save(tx, fresh)

    await block.store.transact(body)


# -- metric alarms


async def _judge(tx: Transaction, alarm: Alarm, found: Datapoints, now: float) -> None:
    config = alarm.config
    n = config["EvaluationPeriods"]
    m = config.get("DatapointsToAlarm", n)
    treatment = config.get("TreatMissingData", "missing")
    if config.get("Namespace") == "AWS/DynamoDB":
        treatment = "ignore"
    breaches, _ = COMPARISONS[config["ComparisonOperator"]]
    threshold = config["Threshold"]
    verdict = judge(found.values, lambda value: breaches(value, threshold), n, m, treatment)
    if verdict.state is None or verdict.state == alarm.state or _is_too_little(alarm, verdict, found):
        return
    reason = reasons.reason(alarm, verdict, found, n, m, treatment)
    await changing.change(tx, alarm, verdict.state, reason, reasons.data(alarm, verdict, found, now), now)


def _is_too_little(alarm: Alarm, verdict: Verdict, found: Datapoints) -> bool:
    """Whether a percentile is of too few values to say something, and the alarm is to ignore it then."""
    statistic = alarm_data.statistic_of(alarm)
    if (
        alarm.config.get("EvaluateLowSampleCountPercentile") != "ignore"
        or statistic is None
        or statistic.percentile is None
        or not verdict.evaluated
    ):
        return False
    share = statistic.percentile / 100
    rarer = share if share < 0.5 else 1 - share
    samples = sum([found.samples[at] for at in verdict.evaluated])
    return rarer <= 0 or round(samples * rarer, 6) < 10


# -- composite alarms


async def _evaluate_rule(tx: Transaction, alarm: Alarm, now: float) -> None:
    """Set the state of a composite alarm; one that depends on itself stays as it is."""
    if not await _depends_on_itself(tx, alarm):
        states = {}
        for name in alarm.children:
            child = await alarms.find(tx, alarm.account, alarm.region, name)
            if child is not None:
                states[name] = child.state
        state: alarms.State = "ALARM" if alarm_rule.holds(alarm_rule.parse(alarm.config["AlarmRule"]), states) else "OK"
        if state != alarm.state:
            await changing.change(tx, alarm, state, *_reason(alarm, now), now)
            alarm.trigger = None
            return
    alarm.trigger = None
    await changing.follow(tx, alarm, now)


def _reason(alarm: Alarm, now: float) -> tuple[str, str | None]:
    if alarm.trigger is None:
        return f"{alarm.arn} was evaluated at {spoken(now)}", None
    arn, state, time = alarm.trigger
    data = {"triggeringAlarms": [{"arn": arn, "state": {"value": state, "timestamp": time}}]}
    return f"{arn} transitioned to {state} at {spoken(now)}", json.dumps(data, separators=(",", ":"))


async def _depends_on_itself(tx: Transaction, alarm: Alarm) -> bool:
    waiting, seen = list(alarm.children), set[str]()
    while waiting and len(seen) < _MOST_VISITED:
        name = waiting.pop()
        if name == alarm.name:
            return True
        if name in seen:
            continue
        seen.add(name)
        child = await alarms.find(tx, alarm.account, alarm.region, name)
        if child is not None:
            waiting += child.children
    return False
