"""Lists in pages, with KMS's names for limits and tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from cloudlet.core import Params, Subspace, Transaction
from cloudlet.core.aws import listing, page_tokens
from cloudlet.services.kms import errors
from cloudlet.store.interface import Row

T = TypeVar("T")


def _show_next(token: str | None) -> dict[str, Any]:
    return {"NextMarker": token, "Truncated": token is not None}


async def list_rows(
    tx: Transaction, space: Subspace, params: Params, default_limit: int
) -> tuple[list[Row], dict[str, Any]]:
    """Return a page of the rows of a subspace, and members for the next."""
    limit = params.get("Limit") or default_limit
    rows, token = await listing.list_rows(tx, space, params.get("Marker"), limit, errors.InvalidMarker())
    return rows, _show_next(token)


async def select_rows(
    tx: Transaction, space: Subspace, params: Params, default_limit: int, select: Callable[[bytes], T | None]
) -> tuple[list[T], dict[str, Any]]:
    """Return a page of selected rows of a subspace, and members for the next."""
    limit = params.get("Limit") or default_limit
    found, token = await listing.list_page(tx, space, params.get("Marker"), limit, select, errors.InvalidMarker())
    return found, _show_next(token)


def list_part(items: Sequence[T], params: Params, default_limit: int) -> tuple[Sequence[T], dict[str, Any]]:
    """Return a page of a short list, and members for the next."""
    place = page_tokens.parse_name_token(params.get("Marker"), errors.InvalidMarker())
    if place and not place.isdecimal():
        raise errors.InvalidMarker
    begin = int(place or 0)
    end = begin + (params.get("Limit") or default_limit)
    return items[begin:end], _show_next(page_tokens.make_page_token(str(end).encode()) if end < len(items) else None)
