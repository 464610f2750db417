"""Changes of alarms' states: what is written down with them, and which actions follow."""

from __future__ import annotations

import json
from typing import Any

from cloudlet.core import Transaction
from cloudlet.core.aws import service_events
from cloudlet.services.cloudwatch import alarm as alarms
from cloudlet.services.cloudwatch import alarm_events, history, mute_rule, outbox, suppressing
from cloudlet.services.cloudwatch.alarm import Alarm, AlarmState, State
from cloudlet.services.cloudwatch.times import stamp

ACTIONS: dict[State, str] = {
    "ALARM": "AlarmActions",
    "INSUFFICIENT_DATA": "InsufficientDataActions",
    "OK": "OKActions",
}


async def change(tx: Transaction, alarm: Alarm, state: State, reason: str, reason_data: str | None, now: float) -> None:
    """Set an alarm's state, have composite alarms look at it, and act; the alarm is to be saved after that."""
    before = alarm.situation
    changed = alarm.state != state
    alarm.state, alarm.reason, alarm.reason_data, alarm.updated = state, reason, reason_data, now
    if not changed:
        return
    alarm.transitioned = now
    data = {
        "version": "1.0",
        "oldState": _described(before),
        "newState": _described(alarm.situation),
    }
    summary = f"Alarm updated from {before.value} to {state}"
    history.note(tx, alarm, "StateUpdate", summary, data, now)
    for name in await alarms.parents(tx, alarm.account, alarm.region, alarm.name):
        await _tell(tx, alarm, name, now)
    alarm.muted = False
    await follow(tx, alarm, now, before)


def _described(situation: AlarmState) -> dict[str, Any]:
    described: dict[str, Any] = {"stateValue": situation.value, "stateReason": situation.reason}
    if situation.reason_data is not None:
        described["stateReasonData"] = parsed(situation.reason_data)
    return described


def parsed(reason_data: str) -> Any:
    """Return the value of reason data; the text where it is no JSON, which SetAlarmState does not admit."""
    try:
        return json.loads(reason_data)
    except ValueError:
        return reason_data


async def _tell(tx: Transaction, alarm: Alarm, parent_name: str, now: float) -> None:
    """Have a composite alarm look at an alarm that has changed."""
    parent = await alarms.find(tx, alarm.account, alarm.region, parent_name)
    if parent is not None and parent.name != alarm.name:
        parent.trigger = [alarm.arn, alarm.state, stamp(now)]
        alarms.schedule(tx, parent, int(now * 1000))
        alarms.save(tx, parent)


async def follow(tx: Transaction, alarm: Alarm, now: float, before: AlarmState | None = None) -> None:
    """Put the actions for an alarm's state into the outbox, unless they are suppressed or muted for now.

    `before` is how it stood with the alarm, where its state has just changed. EventBridge is told of that, and of a
    state that nothing suppresses any more.
    """
    changed = before is not None
    if alarm.suppressor is not None:
        suppressor = await alarms.find(tx, alarm.account, alarm.region, alarm.suppressor)
        state: State = "OK" if suppressor is None else suppressor.state
        suppressed = alarm.situation
        perform = suppressing.step(alarm, now, state, changed=changed)
        if perform and before is None:
            before = suppressed
    else:
        perform = changed
    if before is not None:
        service_events.add(tx, alarm.account, alarm.region, alarm_events.state_change(alarm, before, now))
    until = None
    if perform or (alarm.muted and not alarm.suppressed_by):
        until = await mute_rule.muted_until(tx, alarm.account, alarm.region, alarm.name, now)
        perform, alarm.muted = until is None, until is not None
    if until is not None:
        _wake(tx, alarm, until)
    if alarm.suppressed_by in (suppressing.WAIT, suppressing.EXTENSION):
        _wake(tx, alarm, alarm.suppressed_until)
    if perform and alarm.config.get("ActionsEnabled", True):
        for action in alarm.config.get(ACTIONS[alarm.state]) or ():
            outbox.add(tx, alarm, action, before, now)


def _wake(tx: Transaction, alarm: Alarm, when: float) -> None:
    """Have an alarm evaluated at a time, unless it is before."""
    due = int(when * 1000)
    if alarm.due is None or due < alarm.due:
        alarms.schedule(tx, alarm, due)
