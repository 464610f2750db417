"""Bodies behind which headers come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable


@runtime_checkable
class TrailedBody(Protocol):
    """A request body behind which headers come."""

    @property
    def trailers(self) -> Mapping[str, str]:
        """The headers behind it, by their names in lower case; complete once it was read to its end."""
