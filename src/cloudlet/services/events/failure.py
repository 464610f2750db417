"""Deliveries that failed, and with which error code their dead letters say so.

User guide, "How EventBridge retries delivering events" and "Using dead-letter queues to process undelivered events".
"""

from __future__ import annotations

from cloudlet.core import AwsError
from cloudlet.core.background.retrying import DeliveryError

_FORBIDDEN = 403


def of(error: AwsError) -> DeliveryError:
    """Return what an error of another block means: its own faults pass, those of ours stay."""
    code = error.code
    if error.status == _FORBIDDEN or code.startswith(("AccessDenied", "AuthorizationError")):
        code = "NO_PERMISSIONS"
    elif "NotFound" in code or "NotExist" in code or "NonExistent" in code:
        code = "NO_RESOURCE"
    return DeliveryError(code, error.message, permanent=DeliveryError.of(error).permanent)
