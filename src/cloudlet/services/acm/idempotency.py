"""Requests that are sent again with their IdempotencyToken within an hour.

Each request forgets some tokens that are long past, so that no more are kept than there were lately.
"""

from __future__ import annotations

from cloudlet.core import Context, Subspace, Transaction

_TOKENS = Subspace("token")
_BY_TIME = Subspace("token-by-time")
_KEPT_SECONDS = 3600
_FORGOTTEN = 2
"""The number of tokens that are forgotten for each that is kept."""


async def find_result(ctx: Context, tx: Transaction, token: str, request: str) -> str | None:
    """Return the result of a request where it was made before with this token."""
    raw = await tx.get(_TOKENS.key(ctx.account, ctx.region, token))
    if raw is None:
        return None
    at, known, result = raw.decode().split("\n", 2)
    is_same = known == request and int(at) > int((ctx.now() - _KEPT_SECONDS) * 1000)
    return result if is_same else None


async def keep_result(ctx: Context, tx: Transaction, token: str, request: str, result: str) -> None:
    """Keep the result of a request under its token."""
    now = int(ctx.now() * 1000)
    for key, _ in await tx.range(_BY_TIME.begin, _BY_TIME.key(now - _KEPT_SECONDS * 1000), limit=_FORGOTTEN):
        at, *place = _BY_TIME.unpack(key)
        raw = await tx.get(_TOKENS.key(*place))
        # The token may have been used again since then.
        if raw is not None and int(raw.decode().split("\n", 1)[0]) == at:
            tx.delete(_TOKENS.key(*place))
        tx.delete(key)
    tx.put(_TOKENS.key(ctx.account, ctx.region, token), f"{now}\n{request}\n{result}".encode())
    tx.put(_BY_TIME.key(now, ctx.account, ctx.region, token), b"")
