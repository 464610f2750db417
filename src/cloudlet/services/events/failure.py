"""Deliveries that failed, and with which error code their dead letters say so.

User guide, "How EventBridge retries delivering events" and "Using dead-letter queues to process undelivered events".
"""

from __future__ import annotations

from cloudlet.core import AwsError

_SERVER_ERROR = 500
_NOT_BUILT = 501
_FORBIDDEN, _TOO_MANY = 403, 429
TRANSIENT = frozenset(("InternalError", "InternalFailure", "RequestThrottled", "ServiceUnavailable", "Throttling"))
"""Codes of errors that pass."""


class Failed(Exception):
    """A delivery that was not accepted; what is `permanent` is not tried again, nothing before `wait` seconds."""

    def __init__(self, code: str, message: str, *, permanent: bool, wait: float = 0.0) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.permanent = permanent
        self.wait = wait


def of(error: AwsError) -> Failed:
    """Return what an error of another block means: its own faults pass, those of ours stay."""
    code = error.code
    if error.status == _FORBIDDEN or code.startswith(("AccessDenied", "AuthorizationError")):
        code = "NO_PERMISSIONS"
    elif "NotFound" in code or "NotExist" in code or "NonExistent" in code:
        code = "NO_RESOURCE"
    status = error.status or 0
    passes = (status >= _SERVER_ERROR and status != _NOT_BUILT) or status == _TOO_MANY or error.code in TRANSIENT
    return Failed(code, error.message, permanent=not passes)
