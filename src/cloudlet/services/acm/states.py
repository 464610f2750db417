"""The states of a certificate, and which may follow which (user guide, "Certificate status").

INACTIVE is one of private authorities (AWS Private CA) on AWS: nothing here leads to it.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from cloudlet.services.acm.certificate_record import Certificate

PENDING_VALIDATION: Final = "PENDING_VALIDATION"
ISSUED: Final = "ISSUED"
INACTIVE: Final = "INACTIVE"
EXPIRED: Final = "EXPIRED"
VALIDATION_TIMED_OUT: Final = "VALIDATION_TIMED_OUT"
REVOKED: Final = "REVOKED"
FAILED: Final = "FAILED"

_FOLLOWING: Final[dict[str, tuple[str, ...]]] = {
    PENDING_VALIDATION: (ISSUED, FAILED, VALIDATION_TIMED_OUT),
    # One that is renewed, or imported again, is issued again.
    ISSUED: (ISSUED, EXPIRED, REVOKED),
    EXPIRED: (ISSUED,),
    INACTIVE: (),
    VALIDATION_TIMED_OUT: (),
    REVOKED: (),
    FAILED: (),
}


def move(certificate: Certificate, state: str, **changes: Any) -> Certificate:
    """Return a certificate in its next state, with further changes. Raises RuntimeError where none leads there."""
    if state not in _FOLLOWING[certificate.status]:
        raise RuntimeError(f"a certificate that is {certificate.status} does not become {state}")
    return replace(certificate, status=state, **changes)
