"""Replies that are kept for calls that a block may make again.

Such a call is done once, and answered the second time as the first. A reply is written in the transaction of its
operation, encrypted as it may have secrets, and is kept for a month.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

import msgspec

from cloudlet.store import Subspace, Transaction

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block
    from cloudlet.core.kernel.service import Result

_REPLIES: Final = Subspace("reply")
_BY_TIME: Final = Subspace("reply-by-time")
_KEPT_SECONDS: Final = 30 * 24 * 3600
_MAX_FORGOTTEN_REPLIES: Final = 2

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


async def answer_once(
    block: Block, tx: Transaction, token: str, answer: Callable[[], Coroutine[Any, Any, Result]]
) -> Result:
    """Return the reply to the call with a token; make it where there is none."""
    key = _REPLIES.key(token)
    kept = await tx.get(key)
    vault = block.cloud.vault
    if kept is not None:
        known: Result = _decode(vault.decrypt(kept, token))
        return known
    result = await answer()
    now = int(block.clock.now())
    for past, _ in await tx.range(_BY_TIME.begin, _BY_TIME.key(now - _KEPT_SECONDS), limit=_MAX_FORGOTTEN_REPLIES):
        tx.delete(_REPLIES.key(_BY_TIME.unpack(past)[-1]))
        tx.delete(past)
    tx.put(key, vault.encrypt(_encode(result), token))
    tx.put(_BY_TIME.key(now, token), b"")
    return result
