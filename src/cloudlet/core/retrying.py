"""What failed calls of targets mean, and when they are made again: the same for EventBridge's rules and schedules.

EventBridge's user guide, "How EventBridge retries delivering events": with exponential back-off, until the policy ends.
"""

from __future__ import annotations

from collections.abc import Mapping

_ATTEMPTS = 185
_AGE_SECONDS = 86_400
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 480.0
_TOO_MANY, _SERVER_ERROR, _NOT_BUILT = 429, 500, 501
_THROTTLED = frozenset(
    (
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "TooManyRequestsException",
        "ProvisionedThroughputExceededException",
    )
)
_TRANSIENT = _THROTTLED | {"InternalError", "InternalFailure", "ServiceUnavailable"}


def is_throttled(code: str) -> bool:
    """Whether an error says that there were too many calls."""
    return code in _THROTTLED


def is_transient(code: str, status: int | None = None) -> bool:
    """Whether what an error is about may pass by itself: a fault of the called service, not one of ours."""
    if code in _TRANSIENT or status == _TOO_MANY:
        return True
    return status is not None and status >= _SERVER_ERROR and status != _NOT_BUILT


class Exhausted(Exception):
    """There is no further attempt. `condition` is the part of the policy that has ended."""

    def __init__(self, condition: str) -> None:
        super().__init__(condition)
        self.condition = condition


def following_attempt(policy: Mapping[str, int], failed: int, since: float, now: float) -> float:
    """Return when the next attempt is, after so many that failed, the last of them now.

    `policy` is a RetryPolicy; times are in seconds since the epoch, `since` is what an event's age counts from. Raises
    Exhausted.
    """
    if failed > policy.get("MaximumRetryAttempts", _ATTEMPTS):
        raise Exhausted("MaximumRetryAttempts")
    due = now + pause(failed)
    if due > since + policy.get("MaximumEventAgeInSeconds", _AGE_SECONDS):
        raise Exhausted("MaximumEventAgeInSeconds")
    return due


def pause(failed: int) -> float:
    """Return how long (s) to wait after so many attempts that failed."""
    return min(_FIRST_PAUSE_SECONDS * 2.0 ** min(failed - 1, 20), _LONGEST_PAUSE_SECONDS)
