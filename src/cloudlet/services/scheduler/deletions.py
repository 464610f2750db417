"""What was deleted lately, and with which ClientToken: a deletion that is sent again is the same one.

Each deletion forgets some that are long past, so that no more are kept than there were lately.
"""

from __future__ import annotations

from cloudlet.core import Context, Params, Subspace, Transaction

_DELETED = Subspace("deleted")
_BY_TIME = Subspace("deleted-by-time")
_KEPT_SECONDS = 3600
_FORGOTTEN_AT_ONCE = 2


async def note(ctx: Context, tx: Transaction, params: Params, what: str) -> None:
    """Note that something was deleted by a request."""
    token = params.get("ClientToken")
    if not token:
        return
    now = int(ctx.now() * 1000)
    for key, _ in await tx.range(_BY_TIME.begin, _BY_TIME.key(now - _KEPT_SECONDS * 1000), limit=_FORGOTTEN_AT_ONCE):
        _, account, region, past = _BY_TIME.unpack(key)
        tx.delete(_DELETED.key(account, region, past))
        tx.delete(key)
    tx.put(_DELETED.key(ctx.account, ctx.region, token), what.encode())
    tx.put(_BY_TIME.key(now, ctx.account, ctx.region, token), b"")


async def is_repeated(ctx: Context, tx: Transaction, params: Params, what: str) -> bool:
    """Whether something was deleted by the same request before."""
    token = params.get("ClientToken")
    return bool(token) and await tx.get(_DELETED.key(ctx.account, ctx.region, token)) == what.encode()
