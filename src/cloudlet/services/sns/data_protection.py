"""Message data protection, which AWS no longer gives to new customers, and Cloudlet to nobody.

A policy would have to audit, mask or refuse messages; one that is kept and does nothing would be worse than none.
"""

from __future__ import annotations

from cloudlet.services.sns import errors, limits


def check_absent(policy: str | None) -> None:
    """Raise for a policy that asks for something. An empty one, which removes what was set, is fine."""
    if not policy:
        return
    if len(policy) > limits.DATA_PROTECTION_POLICY_CHARACTERS:
        raise errors.invalid_parameter("DataProtectionPolicy")
    raise errors.not_built("message data protection")
