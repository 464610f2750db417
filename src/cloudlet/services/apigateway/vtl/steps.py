"""What a rendering may take, however little its template says: a few words may double a text, or a list, many times."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

from cloudlet.services.apigateway.vtl.error import VtlError

_MOST: Final = 200_000
CHARACTERS: Final = 128
"""Of a text that a method looks at take as long as a step."""
_ITEMS: Final = 8
"""Of a list that a method looks at take as long as a step."""


class Steps:
    """What is left of them. `RUNNING` has those of the rendering that goes on."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = _MOST

    @property
    def taken(self) -> int:
        """How many have been taken."""
        return _MOST - self._left

    def take(self, number: int = 1) -> None:
        """Raises VtlError where there are not as many left."""
        self._left -= number
        if self._left < 0:
            raise VtlError("the template takes too long")

    def take_for_text(self, length: int) -> None:
        """Take what it takes to look at so many characters. Raises VtlError."""
        self.take(length // CHARACTERS)

    def take_for_items(self, number: int) -> None:
        """Take what it takes to look at so many items of a list. Raises VtlError."""
        self.take(number // _ITEMS)


RUNNING: ContextVar[Steps | None] = ContextVar("steps", default=None)


def running() -> Steps:
    """Return the steps of the rendering that goes on, or new ones."""
    return RUNNING.get() or Steps()
