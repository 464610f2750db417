"""Lists in pages of API Gateway's first version: `position` and `limit`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from cloudlet.core import Params, Subspace, Transaction
from cloudlet.core.aws import listing, page_tokens
from cloudlet.services.apigateway import errors
from cloudlet.services.apigateway.documents import Document, decode

_USUAL = 25
_MOST = 500


def as_it_is(document: Document) -> Document:
    """Show a document with all its members."""
    return document


def limit_of(params: Params) -> int:
    """Return how many are wanted. Raises BadRequestException."""
    limit: int = params.get("limit") or _USUAL
    if limit < 1:
        raise errors.bad_request("Invalid value for limit, must be a positive number")
    return min(limit, _MOST)


async def page(
    tx: Transaction,
    space: Subspace,
    params: Params,
    shown: Callable[[Document], Document] = as_it_is,
    *,
    wanted: Callable[[Document], bool] | None = None,
) -> dict[str, Any]:
    """Return a page of documents: `items` and, where more follow, `position`. `wanted` says which are shown."""

    def select(raw: bytes) -> Document | None:
        document = decode(raw)
        return shown(document) if wanted is None or wanted(document) else None

    wrong = errors.bad_request("Invalid position specified")
    items, position = await listing.list_page(tx, space, params.get("position"), limit_of(params), select, wrong)
    return {"items": items, "position": position}


def part_of(items: Iterable[Document], params: Params) -> dict[str, Any]:
    """Return a page of what is not many, and is not kept in the order in which it is shown."""
    limit = limit_of(params)
    wrong = errors.bad_request("Invalid position specified")
    name = page_tokens.parse_name_token(params.get("position"), wrong)
    if not (name or "0").isdecimal():
        raise wrong
    start = int(name or "0")
    known = list(items)
    result: dict[str, Any] = {"items": known[start : start + limit]}
    if start + limit < len(known):
        result["position"] = page_tokens.make_page_token(str(start + limit).encode())
    return result
