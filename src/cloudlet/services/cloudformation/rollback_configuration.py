"""Rollback triggers: alarms that roll a stack operation back.

User guide, "Roll back your CloudFormation stack on alarm breach with rollback triggers".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from cloudlet.services.cloudformation import errors

_KINDS: Final[Mapping[str, str]] = {
    "AWS::CloudWatch::Alarm": "MetricAlarm",
    "AWS::CloudWatch::CompositeAlarm": "CompositeAlarm",
}
_ARN_PARTS: Final = 7


class Trigger(msgspec.Struct, frozen=True):
    """An alarm that rolls an operation back."""

    arn: str
    type: str

    @property
    def alarm(self) -> str:
        """The alarm's name."""
        return self.arn.split(":", _ARN_PARTS - 1)[-1]

    @property
    def alarm_type(self) -> str:
        """The alarm's type as CloudWatch has it."""
        return _KINDS[self.type]


class RollbackConfiguration(msgspec.Struct, frozen=True):
    """The triggers of a stack, and the minutes that they count for afterwards."""

    triggers: list[Trigger] = []
    minutes: int = 0


def parse_configuration(given: Mapping[str, Any] | None, former: RollbackConfiguration) -> RollbackConfiguration:
    """Return the configuration that a request gives; what it leaves out stays. Raises AwsError."""
    given = given or {}
    triggers, minutes = former.triggers, given.get("MonitoringTimeInMinutes", former.minutes)
    if given.get("RollbackTriggers") is not None:
        triggers = [Trigger(one["Arn"], one["Type"]) for one in given["RollbackTriggers"]]
    for trigger in triggers:
        if trigger.type not in _KINDS:
            raise errors.make_validation_error(f"Unsupported rollback trigger type: {trigger.type}")
        parts = trigger.arn.split(":", _ARN_PARTS - 1)
        if len(parts) != _ARN_PARTS or parts[2] != "cloudwatch" or parts[5] != "alarm":
            raise errors.make_validation_error(f"Invalid rollback trigger ARN: {trigger.arn}")
    return RollbackConfiguration(triggers, minutes)


def to_api(configuration: RollbackConfiguration) -> dict[str, Any]:
    """Return a configuration as DescribeStacks has it."""
    shown: dict[str, Any] = {}
    if configuration.triggers:
        shown["RollbackTriggers"] = [{"Arn": one.arn, "Type": one.type} for one in configuration.triggers]
    if configuration.minutes or configuration.triggers:
        shown["MonitoringTimeInMinutes"] = configuration.minutes
    return shown
