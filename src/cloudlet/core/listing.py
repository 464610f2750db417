"""Lists in pages, with tokens that say after which key the next page begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from cloudlet.core import page_tokens
from cloudlet.core.errors import AwsError
from cloudlet.store import Subspace, Transaction

_MOST = 100
_READ = 100
_LOOKED_AT = 10_000
"""A page ends after so many rows, whatever it has found among them."""
T = TypeVar("T")


async def page(
    tx: Transaction,
    space: Subspace,
    token: str | None,
    limit: int | None,
    select: Callable[[bytes], T | None],
    wrong: AwsError,
) -> tuple[list[T], str | None]:
    """Return up to `limit` of the rows of a subspace that `select` makes something of, and the next page's token.

    Raises `wrong` for what is no token.
    """
    place = page_tokens.place_of(token, wrong)
    begin = space.prefix + place + b"\x00" if place else space.begin
    found: list[T] = []
    for _ in range(_LOOKED_AT // _READ):
        rows = await tx.range(begin, space.end, limit=_READ)
        for number, (key, raw) in enumerate(rows):
            if (selected := select(raw)) is not None:
                found.append(selected)
                if len(found) == (limit or _MOST):
                    more = number + 1 < len(rows) or await tx.range(key + b"\x00", space.end, limit=1)
                    return found, page_tokens.token_of(key.removeprefix(space.prefix)) if more else None
        if len(rows) < _READ:
            return found, None
        begin = rows[-1][0] + b"\x00"
    return found, page_tokens.token_of(begin[:-1].removeprefix(space.prefix))
