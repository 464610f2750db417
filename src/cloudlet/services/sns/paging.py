"""Lists in pages, with tokens that name the last row of the page before."""

from __future__ import annotations

from cloudlet.core import Subspace, Transaction
from cloudlet.core.aws import listing
from cloudlet.services.sns import errors, limits
from cloudlet.store.interface import Row


async def page(
    tx: Transaction, space: Subspace, token: str | None, *, size: int = limits.LISTED
) -> tuple[list[Row], str | None]:
    """Return up to `size` rows after the one that the request's `token` names, and the token of the next page."""
    return await listing.list_rows(tx, space, token, size, errors.invalid_parameter("NextToken"))
