"""Lists in pages, as Route 53 has them.

MaxItems is a text, and the marker names the first item of the next page.
"""

from __future__ import annotations

from typing import Any

from cloudlet.core import Transaction
from cloudlet.services.route53.errors import InvalidInput
from cloudlet.services.route53.limits import PAGE
from cloudlet.store.interface import Row

_MAX_READ_ROWS = 1_000


def read_limit(params: dict[str, Any], most: int = PAGE, member: str = "MaxItems") -> int:
    """Return the number of items of a page, up to the most. Raises InvalidInput."""
    given = params.get(member)
    if given is None:
        return most
    text = str(given)
    if not text.isdecimal() or not int(text):
        raise InvalidInput(f"The value of {member} must be a positive integer: {text}")
    return min(int(text), most)


async def read_rows(tx: Transaction, begin: bytes, end: bytes) -> list[Row]:
    """Return all rows between two keys, of which an account has few."""
    rows: list[Row] = []
    while True:
        found = await tx.range(begin, end, limit=_MAX_READ_ROWS)
        rows += found
        if len(found) < _MAX_READ_ROWS:
            return rows
        begin = found[-1][0] + b"\x00"
