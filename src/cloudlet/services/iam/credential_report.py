"""The rows of a credential report: one for the account's root and for each user.

Source: IAM User Guide, "Understanding the report format".
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import UTC, datetime
from io import StringIO
from typing import Final

from cloudlet.core import Transaction
from cloudlet.services.iam import access_keys, mfa_devices, password_policies, uses
from cloudlet.services.iam.access_key_record import AccessKey
from cloudlet.services.iam.entities import USERS
from cloudlet.services.iam.entity_record import User
from cloudlet.services.iam.user_credential_record import SigningCertificate
from cloudlet.services.iam.user_credentials import LOGIN_PROFILES, SIGNING_CERTIFICATES

COLUMNS: Final = (
    "user",
    "arn",
    "user_creation_time",
    "password_enabled",
    "password_last_used",
    "password_last_changed",
    "password_next_rotation",
    "mfa_active",
    *(
        f"access_key_{number}_{what}"
        for number in (1, 2)
        for what in ("active", "last_rotated", "last_used_date", "last_used_region", "last_used_service")
    ),
    *(f"cert_{number}_{what}" for number in (1, 2) for what in ("active", "last_rotated")),
)
_NOTHING: Final = "N/A"
_UNKNOWN: Final = "not_supported"
_NEVER: Final = "no_information"
_DAY_SECONDS: Final = 86_400
Row = list[str]


async def describe_root(tx: Transaction, account: str, partition: str) -> Row:
    """Return the row of an account's root, which has access keys and certificates only."""
    head = ["<root_account>", f"arn:{partition}:iam::{account}:root", _NOTHING]
    return [*head, _UNKNOWN, _NEVER, _UNKNOWN, _UNKNOWN, "false", *await _describe_keys(tx, account, "")]


async def describe_user(tx: Transaction, user: User) -> Row:
    """Return the row of a user."""
    has_mfa = bool(await mfa_devices.list_devices(tx, user.account, user.key))
    return [
        user.name,
        user.arn,
        _show_time(user.created),
        *await _describe_password(tx, user),
        _show_boolean(has_mfa),
        *await _describe_keys(tx, user.account, user.key),
    ]


async def list_users(tx: Transaction, account: str, after: str, count: int) -> list[User]:
    """Return some users of an account, which come after another one's key."""
    space = USERS.get_space(account)
    begin = space.key(after) + b"\x00" if after else space.begin
    return [USERS.decode(raw) for _, raw in await tx.range(begin, space.end, limit=count)]


def write(rows: Sequence[Row]) -> bytes:
    """Return a report in CSV."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return text.getvalue().removesuffix("\n").encode()


async def _describe_password(tx: Transaction, user: User) -> Row:
    """Return what the report says of a user's password."""
    profile = await LOGIN_PROFILES.find(tx, user.account, user.key, "")
    if profile is None:
        return ["false", _NOTHING, _NOTHING, _NOTHING]
    policy = await password_policies.find(tx, user.account)
    days = None if policy is None else policy.max_age_days
    return [
        "true",
        _show_time(user.password_used) if user.password_used else _NEVER,
        _show_time(profile.changed),
        _NOTHING if days is None else _show_time(profile.changed + days * _DAY_SECONDS),
    ]


async def _describe_keys(tx: Transaction, account: str, user: str) -> Row:
    """Return what the report says of a user's access keys and certificates."""
    keys: list[AccessKey | None] = [*await access_keys.list_keys(tx, account, user), None, None]
    certificates: list[SigningCertificate | None] = [
        *await SIGNING_CERTIFICATES.list_owned(tx, account, user),
        None,
        None,
    ]
    row: Row = []
    for key in keys[:2]:
        row += ["false", *[_NOTHING] * 4] if key is None else await _describe_key(tx, key)
    for certificate in certificates[:2]:
        row += (
            ["false", _NOTHING]
            if certificate is None
            else [_show_boolean(certificate.is_active), _show_time(certificate.created)]
        )
    return row


async def _describe_key(tx: Transaction, key: AccessKey) -> Row:
    used = await uses.show_key_use(tx, key)
    at = used.get("LastUsedDate")
    return [
        _show_boolean(key.is_active),
        _show_time(key.created),
        _NOTHING if at is None else _show_time(at),
        used["Region"],
        used["ServiceName"],
    ]


def _show_time(time: float) -> str:
    return datetime.fromtimestamp(int(time), UTC).isoformat()


def _show_boolean(value: bool) -> str:
    return "true" if value else "false"
