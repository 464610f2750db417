"""Lists in pages, with markers that say after what the next page begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from cloudlet.core import AwsError, Subspace, Transaction
from cloudlet.core.aws import listing
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
    return await listing.list_page(tx, space, marker or None, min(limit or most, most), select, _wrong())


async def rows(tx: Transaction, space: Subspace, marker: str | None, limit: int | None) -> tuple[list[Row], str | None]:
    """Return up to `limit` rows of a subspace with their keys, and the next page's marker. Raises AwsError."""
    return await listing.list_rows(tx, space, marker or None, min(limit or _MOST, _MOST), _wrong())


def _wrong() -> AwsError:
    return errors.invalid("The provided marker is not valid.")
