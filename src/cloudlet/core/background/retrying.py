"""What failed calls of targets mean, and when they are made again: the same for all that deliver something.

EventBridge's user guide, "How EventBridge retries delivering events": with exponential back-off, until the policy ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from cloudlet.wire import WireError

_ATTEMPTS: Final = 185
_AGE_SECONDS: Final = 86_400
_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 480.0
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500
_NOT_BUILT: Final = 501
_THROTTLED: Final = frozenset(
    (
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "TooManyRequestsException",
        "ProvisionedThroughputExceededException",
    )
)
_TRANSIENT: Final = _THROTTLED | {"InternalError", "InternalFailure", "ServiceUnavailable"}


def is_throttled(code: str) -> bool:
    """Whether an error says that there were too many calls."""
    return code in _THROTTLED


def is_transient(code: str, status: int | None = None) -> bool:
    """Whether what an error is about may pass by itself: a fault of the called service, not one of ours."""
    if code in _TRANSIENT or status == _TOO_MANY:
        return True
    return status is not None and status >= _SERVER_ERROR and status != _NOT_BUILT


class DeliveryError(Exception):
    """A call that was not accepted; what is `permanent` is not tried again, nothing before `wait` seconds."""

    def __init__(self, code: str, message: str, *, permanent: bool, wait: float = 0.0) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.permanent = permanent
        self.wait = wait

    @classmethod
    def of(cls, error: WireError) -> DeliveryError:
        """Return what an error of another block means: its own faults pass, those of ours stay."""
        return cls(error.code, error.message, permanent=not is_transient(error.code, error.status))


def of_batch(result: Mapping[str, Any], count: int) -> list[DeliveryError | None]:
    """Return what became of each entry of a SendMessageBatch or PublishBatch, numbered by their ids from 0 on."""
    outcomes: list[DeliveryError | None] = [None] * count
    for failed in result.get("Failed") or ():
        permanent = failed["SenderFault"] and not is_transient(failed["Code"])
        outcomes[int(failed["Id"])] = DeliveryError(failed["Code"], failed.get("Message") or "", permanent=permanent)
    return outcomes


def of_events(result: Mapping[str, Any]) -> list[DeliveryError | None]:
    """Return what became of each entry of a PutEvents."""
    return [
        DeliveryError(each["ErrorCode"], each.get("ErrorMessage") or "", permanent=not is_transient(each["ErrorCode"]))
        if each.get("ErrorCode")
        else None
        for each in result["Entries"]
    ]


class Attempted(Protocol):
    """What was to be given to a target, as EventBridge's rules and schedules have targets."""

    @property
    def target(self) -> Mapping[str, Any]: ...

    @property
    def noted(self) -> int:
        """What its age counts from, in milliseconds since the epoch."""

    @property
    def attempts(self) -> int:
        """How often it has failed before."""

    @property
    def dead(self) -> Mapping[str, str] | None:
        """What its dead letter says, where it is to become that."""


def plan_retry(tried: Attempted, failed: DeliveryError, now: float, told: Mapping[str, str]) -> dict[str, Any] | None:
    """Return what changes after an attempt that failed at `now` (s): another one, a dead letter; None for the end.

    A dead letter says what is `told`, and why it is one.
    """
    attempts = tried.attempts + 1
    exhausted = ""
    if not failed.permanent:
        policy = (tried.target.get("RetryPolicy") or {}) if tried.dead is None else {}
        due = now + max(failed.wait, compute_back_off(attempts))
        if attempts > policy.get("MaximumRetryAttempts", _ATTEMPTS):
            exhausted = "MaximumRetryAttempts"
        elif due > tried.noted / 1000 + policy.get("MaximumEventAgeInSeconds", _AGE_SECONDS):
            exhausted = "MaximumEventAgeInSeconds"
        else:
            return {"attempts": attempts, "due": int(due * 1000)}
    if tried.dead is not None or not (tried.target.get("DeadLetterConfig") or {}).get("Arn"):
        return None
    dead = {
        **told,
        "TARGET_ARN": tried.target["Arn"],
        "ERROR_CODE": failed.code,
        "ERROR_MESSAGE": failed.message or failed.code,
        "RETRY_ATTEMPTS": str(tried.attempts),
    }
    if exhausted:
        dead["EXHAUSTED_RETRY_CONDITION"] = exhausted
    return {"noted": int(now * 1000), "due": int(now * 1000), "attempts": 0, "dead": dead}


def compute_back_off(
    failed: int, *, first: float = _FIRST_PAUSE_SECONDS, longest: float = _LONGEST_PAUSE_SECONDS
) -> float:
    """Return how long (s) to wait after so many attempts that failed."""
    return min(first * 2.0 ** min(failed - 1, 20), longest)
