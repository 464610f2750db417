"""Lists in pages of at most 50, with markers that say after what the next page begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from cloudlet.core import Subspace, Transaction, listing
from cloudlet.services.lambda_ import errors

_MOST = 50
T = TypeVar("T")


async def page(
    tx: Transaction, space: Subspace, marker: str | None, limit: int | None, select: Callable[[bytes], T | None]
) -> tuple[list[T], str | None]:
    """Return up to `limit` of the rows of a subspace that `select` makes something of, and the next page's marker.

    Raises AwsError for what is no marker.
    """
    wrong = errors.invalid("The provided marker is not valid.")
    return await listing.page(tx, space, marker or None, min(limit or _MOST, _MOST), select, wrong)
