"""Suppression of a composite alarm's actions by another alarm. User guide, "Composite alarm action suppression"."""

from __future__ import annotations

from cloudlet.services.cloudwatch.alarm import Alarm, State

WAIT, EXTENSION, BY_ALARM = "WaitPeriod", "ExtensionPeriod", "Alarm"


def step(alarm: Alarm, now: float, suppressor: State, *, changed: bool) -> bool:
    """Note what suppresses the actions of a composite alarm, whose state may have changed just now.

    Returns whether the actions for its state are to be performed.
    """
    config = alarm.config
    if suppressor == "ALARM":
        if changed or alarm.suppressed_by in (WAIT, EXTENSION):
            _suppress(alarm, BY_ALARM, 0.0, f"Actions suppressed by {config['ActionsSuppressor']}")
        return False
    if changed:
        seconds = config["ActionsSuppressorWaitPeriod"]
        _suppress(alarm, WAIT, now + seconds, f"Actions suppressed by WaitPeriod of {seconds} seconds")
    elif alarm.suppressed_by == BY_ALARM:
        seconds = config["ActionsSuppressorExtensionPeriod"]
        _suppress(alarm, EXTENSION, now + seconds, f"Actions suppressed by ExtensionPeriod of {seconds} seconds")
    if alarm.suppressed_by and now >= alarm.suppressed_until:
        end(alarm)
        return True
    return False


def end(alarm: Alarm) -> None:
    """Let nothing suppress the actions of an alarm."""
    _suppress(alarm, "", 0.0, "")


def _suppress(alarm: Alarm, by: str, until: float, reason: str) -> None:
    alarm.suppressed_by, alarm.suppressed_until, alarm.suppressed_reason = by, until, reason
