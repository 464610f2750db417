"""What was found out about texts of users that take long to read: it is found out beside the event loop, and kept.

The transaction that stores such a text asks for the verdict again, and awaits nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any, Final

from cloudlet.core import Context, FinalTransaction, Params
from cloudlet.core.background.workers import run_in_worker
from cloudlet.core.kernel.service import Transactional
from cloudlet.services.apigateway.block import service

LARGE: Final = 8 << 10
"""Characters of a text, or of all in a request, that are not read in the event loop."""
_MOST: Final = 10_000


class Verdicts:
    """What is wrong with texts, by their digests; those that were asked for last."""

    def __init__(self, read: Callable[[str], str], plain: Callable[[str], str] = str) -> None:
        """`read` returns what is wrong with a text, and nothing where all is well.

        `plain` returns the text without what makes no difference.
        """
        self._read = read
        self._plain = plain
        self._known: dict[bytes, str] = {}

    def of(self, text: str) -> str:
        """Return what is wrong with a text; empty where nothing is."""
        text = self._plain(text)
        key = sha256(text.encode("utf-8", "surrogatepass")).digest()
        found = self._known.get(key)
        if found is None:
            found = self._read(text)
            # Other threads may do so, too: to forget all of them is one step.
            if len(self._known) >= _MOST:
                self._known = {}
            self._known[key] = found
        return found

    def operation(self, name: str) -> Callable[[Transactional], Transactional]:
        """Declare an operation: where the texts of its request are large, they are read beside the event loop first."""

        def declare(function: Transactional) -> Transactional:
            @service.direct(name)
            async def checked(ctx: Context, params: Params) -> FinalTransaction:
                texts = list(_texts(params))
                if sum(map(len, texts)) > LARGE:
                    await run_in_worker(ctx.account, self._read_all, texts)
                return FinalTransaction(lambda tx: function(ctx, tx, params))

            return function

        return declare

    def _read_all(self, texts: list[str]) -> None:
        for text in texts:
            self.of(text)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _texts(each)
