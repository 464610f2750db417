"""Lists in pages, with markers that say after what the next page begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from cloudlet.core import AwsError, Subspace, Transaction, listing, page_tokens
from cloudlet.services.lambda_ import errors
from cloudlet.store.interface import Row

_MOST = 50
T = TypeVar("T")


async def page(
    tx: Transaction,
    space: Subspace,
    marker: str | None,
    limit: int | None,
    select: Callable[[bytes], T | None],
    most: int = _MOST,
) -> tuple[list[T], str | None]:
    """Return rows of a subspace that `select` makes something of, and the next page's marker.

    There are up to `limit` of them, and no more than `most`. Raises AwsError for what is no marker.
    """
    return await listing.page(tx, space, marker or None, min(limit or most, most), select, _wrong())


async def rows(tx: Transaction, space: Subspace, marker: str | None, limit: int | None) -> tuple[list[Row], str | None]:
    """Return up to `limit` rows of a subspace with their keys, and the next page's marker. Raises AwsError."""
    place = page_tokens.place_of(marker or None, _wrong())
    most = min(limit or _MOST, _MOST)
    begin = space.prefix + place + b"\x00" if place else space.begin
    found = await tx.range(begin, space.end, limit=most + 1)
    if len(found) <= most:
        return found, None
    return found[:most], page_tokens.token_of(found[most - 1][0].removeprefix(space.prefix))


def _wrong() -> AwsError:
    return errors.invalid("The provided marker is not valid.")
