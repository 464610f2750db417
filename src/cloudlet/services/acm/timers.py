"""Timers of certificates: for their renewal, for notices of their expiry, and for that itself.

User guide, "Managed certificate renewal": 45 days before it expires. From then on each day counts.
"""

from __future__ import annotations

import math

from msgspec.structs import replace

from cloudlet.core import Subspace, Transaction
from cloudlet.services.acm.certificate_record import Certificate

DAY_SECONDS = 86_400
MAX_NOTICE_DAYS = 45
RENEWAL_DAYS = 45
TOPIC = b"due-certificates"
DUE = Subspace("due")
"""A row for each timer. Its key begins with when it is due, in milliseconds since the epoch."""


def schedule(tx: Transaction, certificate: Certificate) -> Certificate:
    """Have something done about a certificate that was issued or imported now; return it so."""
    return _enter(tx, certificate, MAX_NOTICE_DAYS)


def schedule_again(tx: Transaction, certificate: Certificate, now: float) -> Certificate:
    """Have something done about a certificate when one day less is left; return it so."""
    not_after = 0.0 if certificate.facts is None else certificate.facts.not_after
    return _enter(tx, certificate, max(0, count_days_left(not_after, now) - 1))


def cancel(tx: Transaction, certificate: Certificate) -> Certificate:
    """Have nothing done about a certificate any more; return it so."""
    if certificate.due:
        tx.delete(_get_key(certificate))
    return replace(certificate, due=0)


def count_days_left(not_after: float, now: float) -> int:
    """Return the number of days until a certificate expires, a begun one included."""
    return max(0, math.ceil((not_after - now) / DAY_SECONDS))


def _enter(tx: Transaction, certificate: Certificate, days: int) -> Certificate:
    """Enter a certificate for when so many days are left of it."""
    cancelled = cancel(tx, certificate)
    if certificate.facts is None:
        return cancelled
    entered = replace(cancelled, due=max(1, int((certificate.facts.not_after - days * DAY_SECONDS) * 1000)))
    tx.put(_get_key(entered), b"")
    tx.notify(TOPIC)
    return entered


def _get_key(certificate: Certificate) -> bytes:
    return DUE.key(certificate.due, certificate.account, certificate.region, certificate.name)
