"""The errors of EventBridge in AWS's words."""

from __future__ import annotations

from cloudlet.core import AwsError


def validation(message: str) -> AwsError:
    """A request that makes no sense."""
    return AwsError("ValidationException", message, status=400)


def not_found(message: str) -> AwsError:
    """Something that is not there."""
    return AwsError("ResourceNotFoundException", message)


def no_such_bus(name: str) -> AwsError:
    return not_found(f"Event bus {name} does not exist.")


def no_such_rule(name: str, bus: str) -> AwsError:
    return not_found(f"Rule {name} does not exist on EventBus {bus}.")


def is_managed(name: str, by: str) -> AwsError:
    return AwsError("ManagedRuleException", f"Rule {name} is managed by {by} and cannot be changed.")


def limit_exceeded() -> AwsError:
    return AwsError("LimitExceededException", "The requested resource exceeds the maximum number allowed.")


def invalid_pattern(reason: str) -> AwsError:
    return AwsError("InvalidEventPatternException", f"Event pattern is not valid. Reason: {reason}")


def not_built(what: str) -> AwsError:
    """Something that AWS has and Cloudlet has not."""
    return AwsError("NotImplemented", f"Cloudlet does not implement {what}. See docs/services/events.md.", status=501)
