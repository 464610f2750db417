"""The settings of an account in a region: how early expiry is told of."""

from __future__ import annotations

from cloudlet.core import Subspace, Transaction
from cloudlet.services.acm import timers
from cloudlet.services.acm.certificate_record import Certificate

_DAYS = Subspace("notice-days")
_ISSUED_DAYS = 30
"""User guide, "Amazon EventBridge support for ACM": 45 for imported certificates, 30 for public ones."""


async def find_days(tx: Transaction, account: str, region: str) -> int | None:
    """Return what an account has set; None where it has set nothing."""
    raw = await tx.get(_DAYS.key(account, region))
    return None if raw is None else int(raw)


def save_days(tx: Transaction, account: str, region: str, days: int) -> None:
    tx.put(_DAYS.key(account, region), b"%d" % days)


async def get_notice_days(tx: Transaction, certificate: Certificate) -> int:
    """Return from how many days before its expiry on a certificate is told of."""
    days = await find_days(tx, certificate.account, certificate.region)
    if days is not None:
        return days
    return timers.MAX_NOTICE_DAYS if certificate.is_imported else _ISSUED_DAYS
