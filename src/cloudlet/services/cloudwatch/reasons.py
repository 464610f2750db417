"""Why an alarm is in its state, in AWS's words and as data."""

from __future__ import annotations

import json
from typing import Any

from cloudlet.services.cloudwatch.alarm import Alarm
from cloudlet.services.cloudwatch.alarm_data import Datapoints, period_of
from cloudlet.services.cloudwatch.judging import COMPARISONS, Verdict
from cloudlet.services.cloudwatch.times import short, stamp

CREATED = "Unchecked: Initial alarm creation"
_LONGEST_REASON, _LONGEST_DATA = 1023, 4000
_MOST_NAMED = 20
_TREATED = {"breaching": "[Breaching]", "notBreaching": "[NonBreaching]"}


def reason(alarm: Alarm, verdict: Verdict, found: Datapoints, n: int, m: int, treatment: str) -> str:
    """Return the reason of the state that follows from datapoints."""
    if verdict.state == "INSUFFICIENT_DATA":
        return f"Insufficient Data: {_counted(n, 'datapoint')} {_was(n)} unknown."
    config = alarm.config
    breaches, words = COMPARISONS[config["ComparisonOperator"]]
    threshold = float(config["Threshold"])
    crossed = verdict.state == "ALARM"
    shown = [
        f"{value} ({short(found.times[at])})"
        for at in verdict.evaluated
        if (value := found.values[at]) is not None and breaches(value, threshold) == crossed
    ]
    missing = verdict.filled
    treated = f"{_counted(missing, 'missing datapoint')} {_was(missing)} treated as {_TREATED.get(treatment, '')}"
    if not verdict.evaluated:
        return f"Threshold Crossed: no datapoints were received for {_counted(n, 'period')} and {treated}."
    needed = m if crossed else n - m + 1
    change = "OK -> ALARM" if crossed else "ALARM -> OK"
    parts = [
        f"Threshold Crossed: {len(shown)} out of the last {_counted(len(verdict.evaluated), 'datapoint')} "
        f"[{', '.join(shown)}] {_was(len(shown))} {'' if crossed else 'not '}{words} the threshold ({threshold})"
    ]
    if missing:
        parts.append(f" and {treated}")
    parts.append(f" (minimum {_counted(needed, 'datapoint')} for {change} transition).")
    return "".join(parts)[:_LONGEST_REASON]


def data(alarm: Alarm, verdict: Verdict, found: Datapoints, now: float) -> str:
    """Return the reason as JSON."""
    config = alarm.config
    evaluated = [at for at in verdict.evaluated if found.values[at] is not None]
    described: dict[str, Any] = {"version": "1.0", "queryDate": stamp(now)}
    if evaluated:
        described["startDate"] = stamp(found.times[evaluated[-1]])
    statistic = config.get("Statistic") or config.get("ExtendedStatistic")
    if statistic is not None:
        described["statistic"] = statistic
    if "Unit" in config:
        described["unit"] = config["Unit"]
    described["period"] = period_of(alarm)
    described["recentDatapoints"] = [found.values[at] for at in reversed(evaluated)]
    described["threshold"] = float(config["Threshold"])
    described["evaluatedDatapoints"] = [_evaluated(found, at) for at in evaluated]
    text = json.dumps(described, separators=(",", ":"))
    if len(text) > _LONGEST_DATA:
        # Of many datapoints only the latest are named.
        described["recentDatapoints"] = described["recentDatapoints"][-_MOST_NAMED:]
        described["evaluatedDatapoints"] = described["evaluatedDatapoints"][:_MOST_NAMED]
        text = json.dumps(described, separators=(",", ":"))
    return text


def _evaluated(found: Datapoints, at: int) -> dict[str, Any]:
    described: dict[str, Any] = {"timestamp": stamp(found.times[at])}
    if found.samples:
        described["sampleCount"] = found.samples[at]
    return {**described, "value": found.values[at]}


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _was(count: int) -> str:
    return "was" if count == 1 else "were"
