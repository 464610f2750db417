"""The record of a virtual MFA device."""

from __future__ import annotations

from cloudlet.services.iam.entity_record import Entity


class MfaDevice(Entity, frozen=True, kw_only=True):
    """A virtual MFA device, which belongs to a user once it is enabled."""

    kind = "mfa"
    seed: bytes
    """The secret that it shares with the user's program, encrypted."""
    user: str = ""
    """The key of its user; empty where it has none."""
    enabled: float = 0.0
    drift: int = 0
    """By how many steps its clock is ahead."""
    last_step: int = 0
    """The step of the last code that was taken: older ones are refused."""
