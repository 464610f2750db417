"""Reasons for which requests failed, for logs and metrics (user guide, "Error reason codes")."""

from __future__ import annotations

from typing import Final

_MAX_REASONS: Final = 10_000
_PROVIDER_ERRORS: Final = (
    "AuthMissingHostHeader",
    "AuthTokenEpRequestFailed",
    "AuthTokenEpRequestTimeout",
    "AuthUserinfoEpRequestFailed",
    "AuthUserinfoEpRequestTimeout",
)
_INTERNAL_ERRORS: Final = ("LambdaConnectionTimeout", "LambdaServiceException", "LambdaUnhandledException")
_SIZE_EXCEEDED: Final = "AuthUserinfoResponseSizeExceeded"


def find_metric(reason: str) -> str:
    """Return the metric that counts a reason, "" where none does."""
    if reason.startswith("Auth"):
        if reason == _SIZE_EXCEEDED:
            return "ELBAuthUserClaimsSizeExceeded"
        return "ELBAuthError" if reason in _PROVIDER_ERRORS else "ELBAuthFailure"
    if reason.startswith("Lambda"):
        return "LambdaInternalError" if reason in _INTERNAL_ERRORS else "LambdaUserError"
    return ""


class ErrorReasons:
    """Reasons by the trace ids of requests, until their log entries come."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}

    def note(self, trace: str, reason: str) -> None:
        """Note why a request has failed. Of too many, the oldest ones are forgotten."""
        if len(self._reasons) >= _MAX_REASONS:
            del self._reasons[next(iter(self._reasons))]
        self._reasons[trace] = reason

    def take(self, trace: str) -> str:
        """Return why a request has failed, "" where that is not known."""
        return self._reasons.pop(trace, "")
