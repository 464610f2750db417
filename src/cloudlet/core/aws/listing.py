"""Lists in pages, with tokens that say after which key the next page begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from cloudlet.core.aws import page_tokens
from cloudlet.core.kernel.errors import AwsError
from cloudlet.store import Subspace, Transaction
from cloudlet.store.interface import Row

_MOST = 100
_READ = 100
_LOOKED_AT = 10_000
"""A page ends after so many rows, whatever it has found among them."""
T = TypeVar("T")


async def list_page(
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
    begin = _begin(space, token, wrong)
    found: list[T] = []
    last = b""
    for _ in range(_LOOKED_AT // _READ):
        rows = await tx.range(begin, space.end, limit=_READ)
        for key, raw in rows:
            if (selected := select(raw)) is not None:
                if len(found) == (limit or _MOST):
                    return found, _token_after(space, last)
                found.append(selected)
                last = key
        if len(rows) < _READ:
            return found, None
        begin = rows[-1][0] + b"\x00"
    return found, _token_after(space, begin[:-1])


async def list_rows(
    tx: Transaction, space: Subspace, token: str | None, limit: int, wrong: AwsError
) -> tuple[list[Row], str | None]:
    """Return up to `limit` rows of a subspace, and the next page's token. Raises `wrong` for what is no token."""
    found = await tx.range(_begin(space, token, wrong), space.end, limit=limit + 1)
    if len(found) <= limit:
        return found, None
    return found[:limit], _token_after(space, found[limit - 1][0])


async def list_names(tx: Transaction, space: Subspace, prefix: str, after: str, count: int) -> list[Row]:
    """Return up to `count` rows whose keys are names, in their order: those that begin with a prefix, after a name."""
    first = space.key(prefix)[:-1]
    begin = space.key(after) + b"\x00" if after and after >= prefix else first
    return await tx.range(begin, first + b"\xff", limit=count)


def _begin(space: Subspace, token: str | None, wrong: AwsError) -> bytes:
    """Return the first key that may be on the page of a token."""
    place = page_tokens.parse_page_token(token, wrong)
    begin = space.prefix + place + b"\x00" if place else space.begin
    if begin >= space.end:
        raise wrong
    return begin


def _token_after(space: Subspace, key: bytes) -> str:
    """Return the token of the page that comes after a key."""
    return page_tokens.make_page_token(key.removeprefix(space.prefix))
