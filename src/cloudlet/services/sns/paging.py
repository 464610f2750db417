"""Lists in pages, with tokens that name the last row of the page before."""

from __future__ import annotations

from cloudlet.core import Subspace, Transaction, page_tokens
from cloudlet.services.sns import errors, limits
from cloudlet.store.interface import Row


async def page(
    tx: Transaction, space: Subspace, token: str | None, *, size: int = limits.LISTED, name: str = "NextToken"
) -> tuple[list[Row], str | None]:
    """Return up to `size` rows after the one that the request's `token` names, and the token of the next page."""
    begin = space.begin
    if token is not None:
        after = page_tokens.place_of(token, errors.invalid_parameter(name))
        begin = space.prefix + after + b"\x00"
        if begin >= space.end:
            raise errors.invalid_parameter(name)
    rows = await tx.range(begin, space.end, limit=size + 1)
    if len(rows) <= size:
        return rows, None
    return rows[:size], page_tokens.token_of(rows[size - 1][0][len(space.prefix) :])
