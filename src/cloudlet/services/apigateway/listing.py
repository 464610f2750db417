"""Lists in pages, with tokens that say after which key the next page begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cloudlet.core import Params, Subspace, Transaction
from cloudlet.core.aws import listing
from cloudlet.services.apigateway import errors
from cloudlet.services.apigateway.documents import Document, decode

_MOST = 500


def as_it_is(document: Document) -> Document:
    """Show a document with all its members."""
    return document


async def page(
    tx: Transaction, space: Subspace, params: Params, shown: Callable[[Document], Document] = as_it_is
) -> dict[str, Any]:
    """Return a page of documents as a result: `Items` and, where more follow, `NextToken`."""
    token, limit = params.get("NextToken"), _limit(params.get("MaxResults"))
    rows, following = await listing.list_rows(
        tx, space, token, limit, errors.bad_request("Invalid nextToken specified")
    )
    return {"Items": [shown(decode(raw)) for _, raw in rows], "NextToken": following}


def _limit(given: str | None) -> int:
    """Return how many are wanted; it comes as text."""
    if given is None:
        return _MOST
    if not (given.isascii() and given.isdecimal() and len(given) < 10 and int(given) > 0):
        raise errors.bad_request("Invalid value for maxResults, must be a positive number")
    return min(int(given), _MOST)
