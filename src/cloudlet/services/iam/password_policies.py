"""Password policies: what an account requires of passwords, and whether one conforms."""

from __future__ import annotations

import json
import re
from typing import Final

import msgspec

from cloudlet.core import AwsError, Subspace, Transaction
from cloudlet.services.iam.entity_record import User
from cloudlet.services.iam.password_policy_record import PasswordPolicy

_POLICIES: Final = Subspace("password-policy")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(PasswordPolicy).decode

_PERMISSIONS: Final = "<account password policy>"
"""A name that no policy has."""
_SYMBOLS: Final = re.compile(r"[!@#$%^&*()_+\-=\[\]{}|']")
_NUMBERS: Final = re.compile("[0-9]")
_UPPERCASE: Final = re.compile("[A-Z]")
_LOWERCASE: Final = re.compile("[a-z]")
_DEFAULT_MIN_CHARACTERS: Final = 8
_DEFAULT_MIN_KINDS: Final = 3
"""Of characters, where an account has no policy (IAM User Guide, "Default password policy")."""


async def find(tx: Transaction, account: str) -> PasswordPolicy | None:
    """Return the policy of an account, or None."""
    raw = await tx.get(_POLICIES.key(account))
    return None if raw is None else _decode(raw)


def save(tx: Transaction, account: str, policy: PasswordPolicy) -> None:
    """Write the policy of an account."""
    tx.put(_POLICIES.key(account), _encode(policy))


def remove(tx: Transaction, account: str) -> None:
    """Delete the policy of an account."""
    tx.delete(_POLICIES.key(account))


def check(policy: PasswordPolicy | None, password: str) -> None:
    """Raise AwsError for a password that does not conform to a policy, or AWS's default."""
    if policy is None:
        _check_default(password)
        return
    if len(password) < policy.min_characters:
        raise make_violation(f"Password should have a minimum length of {policy.min_characters}")
    for is_required, characters, noun in (
        (policy.requires_symbols, _SYMBOLS, "symbol"),
        (policy.requires_numbers, _NUMBERS, "number"),
        (policy.requires_uppercase, _UPPERCASE, "uppercase letter"),
        (policy.requires_lowercase, _LOWERCASE, "lowercase letter"),
    ):
        if is_required and not characters.search(password):
            raise make_violation(f"Password should have at least one {noun}")


async def list_permissions(tx: Transaction, user: User) -> dict[str, str]:
    """Return identity-based policies, by names, that the account's policy stands for."""
    policy = await find(tx, user.account)
    if policy is None or not policy.users_may_change:
        return {}
    statements = [
        {"Effect": "Allow", "Action": "iam:ChangePassword", "Resource": user.arn},
        {"Effect": "Allow", "Action": "iam:GetAccountPasswordPolicy", "Resource": "*"},
    ]
    return {_PERMISSIONS: json.dumps({"Version": "2012-10-17", "Statement": statements})}


def _check_default(password: str) -> None:
    """Raise AwsError for a password that AWS does not admit anywhere without a policy."""
    if len(password) < _DEFAULT_MIN_CHARACTERS:
        raise make_violation(f"Password should have a minimum length of {_DEFAULT_MIN_CHARACTERS}")
    kinds = sum(bool(kind.search(password)) for kind in (_SYMBOLS, _NUMBERS, _UPPERCASE, _LOWERCASE))
    if kinds < _DEFAULT_MIN_KINDS:
        kinds_of_characters = "uppercase letters, lowercase letters, numbers, symbols"
        raise make_violation(f"Password should have at least three of the following: {kinds_of_characters}")


def make_violation(message: str) -> AwsError:
    """Return the error about a password that does not conform."""
    return AwsError("PasswordPolicyViolation", message)
