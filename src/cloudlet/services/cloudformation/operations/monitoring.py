"""Watching the alarms that roll an operation back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cloudlet.core import AwsError
from cloudlet.core.aws.resources.failures import is_transient
from cloudlet.core.aws.resources.provisioner import Invoke
from cloudlet.services.cloudformation.rollback_configuration import Trigger

WATCH_SECONDS: Final = 2.0
"""The pause between two looks at the alarms."""


async def find_breach(invoke: Invoke, triggers: Sequence[Trigger]) -> str:
    """Return why an operation has to be rolled back; empty where no alarm says so."""
    breached = []
    for trigger in triggers:
        params = {"AlarmNames": [trigger.alarm], "AlarmTypes": [trigger.alarm_type]}
        try:
            answer = await invoke("cloudwatch", "DescribeAlarms", params)
        except AwsError as error:
            if is_transient(error):
                continue
            return f"Rollback trigger {trigger.arn} cannot be monitored: {error.message}"
        alarms = [*(answer.get("MetricAlarms") or ()), *(answer.get("CompositeAlarms") or ())]
        states = [alarm["StateValue"] for alarm in alarms if alarm["AlarmArn"] == trigger.arn]
        if not states:
            return f"Rollback trigger {trigger.arn} does not exist"
        if states == ["ALARM"]:
            breached.append(trigger.arn)
    return f"The following rollback triggers are in ALARM state: [{', '.join(breached)}]" if breached else ""
