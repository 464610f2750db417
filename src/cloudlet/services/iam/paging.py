"""Lists in pages: Marker, MaxItems and IsTruncated."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from cloudlet.core import Context, Params, Subspace, Transaction
from cloudlet.core.aws import listing, page_tokens
from cloudlet.services.iam import errors
from cloudlet.services.iam.entities import E, Kind

T = TypeVar("T")
_MAX_ITEMS = 100
"""Of a page, where a request does not say."""


async def list_kind(
    ctx: Context, tx: Transaction, params: Params, kind: Kind[E], show: Callable[[E], Any | None]
) -> dict[str, Any]:
    """Return a page of an account's resources under a path that `show` makes something of."""
    prefix = params.get("PathPrefix") or "/"

    def select(raw: bytes) -> dict[str, Any] | None:
        found = kind.decode(raw)
        return show(found) if found.path.startswith(prefix) else None

    found, marks = await list_rows(tx, params, kind.get_space(ctx.account), select)
    return {f"{kind.noun}s": found, **marks}


async def list_rows(
    tx: Transaction, params: Params, space: Subspace, select: Callable[[bytes], T | None]
) -> tuple[list[T], dict[str, Any]]:
    """Return a page of the rows of which `select` makes something, and its marker."""
    limit = get_limit(params)
    found, following = await listing.list_page(tx, space, params.get("Marker"), limit, select, errors.wrong_marker())
    return found, mark(following)


async def collect(
    params: Params, keys: Sequence[str], load: Callable[[str], Awaitable[T | None]]
) -> tuple[list[T], dict[str, Any]]:
    """Return a page of sorted keys, as `load` shows them, and its marker.

    It leaves out those of which `load` makes nothing.
    """
    after = page_tokens.parse_name_token(params.get("Marker"), errors.wrong_marker())
    limit = get_limit(params)
    found: list[T] = []
    last = ""
    for key in keys[bisect_right(keys, after) if after else 0 :]:
        item = await load(key)
        if item is None:
            continue
        if len(found) == limit:
            return found, mark(page_tokens.make_page_token(last.encode()))
        found.append(item)
        last = key
    return found, mark(None)


def list_items(params: Params, member: str, items: dict[str, Any]) -> dict[str, Any]:
    """Return a page of items by their keys, as a member of an answer."""
    after = page_tokens.parse_name_token(params.get("Marker"), errors.wrong_marker())
    keys = sorted(key for key in items if not after or key > after)
    page = keys[: get_limit(params)]
    marks = mark(page_tokens.make_page_token(page[-1].encode()) if len(page) < len(keys) else None)
    return {member: [items[key] for key in page], **marks}


def get_limit(params: Params) -> int:
    """Return how many items a page has at most."""
    return params.get("MaxItems") or _MAX_ITEMS


def mark(following: str | None) -> dict[str, Any]:
    """Return the members that tell whether there is another page, and its marker."""
    return {"IsTruncated": False} if following is None else {"IsTruncated": True, "Marker": following}
