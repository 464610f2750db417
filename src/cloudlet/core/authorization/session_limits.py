"""Operations that sessions of users may not call, whatever policies say.

Source: IAM User Guide, "Compare AWS STS credentials".
"""

from __future__ import annotations

from typing import Final

from cloudlet.core.kernel.errors import AwsError
from cloudlet.core.kernel.identity import Principal

_UNSIGNED: Final = ("AssumeRoleWithSAML", "AssumeRoleWithWebIdentity")
"""Operations that look at no credentials of AWS: any that come along do not matter."""
_OF_FEDERATED_USERS: Final = frozenset(("GetCallerIdentity", *_UNSIGNED))
_OF_USERS: Final = frozenset(("AssumeRole", "GetCallerIdentity", *_UNSIGNED))


def find_denial(caller: Principal, model: str, operation: str) -> AwsError | None:
    """Return the error of a call that the caller's session may not make, or None."""
    session = caller.session
    if session is None or model not in ("iam", "sts") or caller.kind == "assumed-role" or caller.is_forwarded:
        return None
    is_federated = caller.kind == "federated-user"
    if model == "iam":
        if session.mfa_at and not is_federated:
            return None
        return AwsError("InvalidClientTokenId", "The security token included in the request is invalid", status=403)
    if operation in (_OF_FEDERATED_USERS if is_federated else _OF_USERS):
        return None
    return AwsError("AccessDenied", f"Cannot call {operation} with session credentials", status=403)
