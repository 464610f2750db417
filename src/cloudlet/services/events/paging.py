"""Lists in pages, with tokens that say after which name the next page begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from cloudlet.core import Subspace, Transaction, page_tokens
from cloudlet.services.events import errors

_MOST = 100
_READ = 100
T = TypeVar("T")


async def page(
    tx: Transaction,
    space: Subspace,
    token: str | None,
    limit: int | None,
    select: Callable[[bytes], T | None],
) -> tuple[list[T], str | None]:
    """Return up to `limit` of the rows of a subspace that `select` makes something of, and the next page's token."""
    begin = space.begin if token is None else space.prefix + _place(token) + b"\x00"
    found: list[T] = []
    last = b""
    while True:
        rows = await tx.range(begin, space.end, limit=_READ)
        for key, raw in rows:
            if (selected := select(raw)) is not None:
                if len(found) == (limit or _MOST):
                    return found, token_of(last)
                found.append(selected)
                last = key.removeprefix(space.prefix)
        if len(rows) < _READ:
            return found, None
        begin = rows[-1][0] + b"\x00"


def token_of(place: bytes) -> str:
    """Return the token of the page that begins after a place; for the first place of all it is a mark of its own."""
    return page_tokens.token_of(b"." + place)


def _place(token: str) -> bytes:
    wrong = errors.validation("The provided NextToken is not valid.")
    place = page_tokens.place_of(token, wrong)
    if not place.startswith(b"."):
        raise wrong
    return place[1:]
