"""The record of an account's password policy."""

from __future__ import annotations

import msgspec


class PasswordPolicy(msgspec.Struct, frozen=True):
    """The rules of an account for passwords. The defaults are those of UpdateAccountPasswordPolicy."""

    min_characters: int = 6
    requires_symbols: bool = False
    requires_numbers: bool = False
    requires_uppercase: bool = False
    requires_lowercase: bool = False
    users_may_change: bool = False
    max_age_days: int | None = None
    reuse_prevention: int | None = None
    has_hard_expiry: bool | None = None
