"""Lists in pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from cloudlet.core import Subspace, Transaction
from cloudlet.core.aws import listing, page_tokens
from cloudlet.services.events import errors

T = TypeVar("T")
BEGINNING = page_tokens.make_page_token(b"\x00")
"""The token of a page that begins with the first row: no key is before it."""


async def page(
    tx: Transaction,
    space: Subspace,
    token: str | None,
    limit: int | None,
    select: Callable[[bytes], T | None],
) -> tuple[list[T], str | None]:
    """Return up to `limit` of the rows of a subspace that `select` makes something of, and the next page's token."""
    wrong = errors.validation("The provided NextToken is not valid.")
    return await listing.list_page(tx, space, token, limit, select, wrong)
