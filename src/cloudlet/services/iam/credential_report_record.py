"""The record of an account's credential report."""

from __future__ import annotations

import msgspec


class CredentialReport(msgspec.Struct, frozen=True):
    """The credentials of an account's users at one time."""

    content: bytes
    """In CSV."""
    generated: float
