"""Schedule expressions of rules, which are in UTC, with EventBridge's error."""

from __future__ import annotations

from cloudlet.core.aws import schedule_expression
from cloudlet.core.aws.schedule_expression import Schedule
from cloudlet.services.events import errors


def parse(text: str) -> Schedule:
    """Return a schedule. Raises ValidationException."""
    try:
        return schedule_expression.parse(text)
    except ValueError:
        raise errors.validation("Parameter ScheduleExpression is not valid.") from None
