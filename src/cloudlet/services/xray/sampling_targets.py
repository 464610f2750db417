"""What applications sampled, and how much each of them may sample.

Developer guide, "Using sampling rules with the X-Ray API". The reservoir of a rule is shared among the applications
that reported lately: their quotas add up to it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import Context, Subspace, Transaction
from cloudlet.services.xray.sampling_rules import Rule

INTERVAL_SECONDS = 10
_ACTIVE_SECONDS = 3 * INTERVAL_SECONDS
"""How long after its last report an application has its part of reservoirs."""
_WINDOW_SECONDS = 60
_KEPT_WINDOWS = 15
_MOST_CLIENTS = 1000
"""Among so many a reservoir is split; where more report, each gets as much as if there were no others."""
_MOST_WINDOWS = 1000

_CLIENTS = Subspace("sampling-client")
"""Account, region, rule, client → when it reported last, in seconds since the epoch."""
_COUNTS = Subspace("sampling-counts")
"""Account, region, rule, start of a window → Counts."""


class Counts(msgspec.Struct, frozen=True):
    """What happened to requests that a rule was for."""

    requests: int = 0
    sampled: int = 0
    borrowed: int = 0


_decode = msgspec.msgpack.Decoder(Counts).decode


async def report(ctx: Context, tx: Transaction, rule: Rule, told: dict[str, Any]) -> dict[str, Any]:
    """Take what an application tells of a rule; return its SamplingTargetDocument."""
    now = ctx.now()
    counts = _COUNTS.sub(ctx.account, ctx.region, rule.name)
    window = int(now // _WINDOW_SECONDS) * _WINDOW_SECONDS
    raw = await tx.get(counts.key(window))
    old = Counts() if raw is None else _decode(raw)
    new = Counts(
        old.requests + told["RequestCount"],
        old.sampled + told["SampledCount"],
        old.borrowed + (told.get("BorrowCount") or 0),
    )
    tx.put(counts.key(window), msgspec.msgpack.encode(new))
    tx.delete_range(counts.begin, counts.key(window - _KEPT_WINDOWS * _WINDOW_SECONDS))
    return {
        "RuleName": rule.name,
        "FixedRate": rule.fixed_rate,
        "ReservoirQuota": await _quota(ctx, tx, rule, told["ClientID"]),
        "ReservoirQuotaTTL": now + 2 * INTERVAL_SECONDS,
        "Interval": INTERVAL_SECONDS,
    }


async def _quota(ctx: Context, tx: Transaction, rule: Rule, client: str) -> int:
    """Note that an application is there; return its part of a rule's reservoir."""
    clients = _CLIENTS.sub(ctx.account, ctx.region, rule.name)
    tx.put(clients.key(client), msgspec.msgpack.encode(ctx.now()))
    active = []
    for key, raw in await tx.range(clients.begin, clients.end, limit=_MOST_CLIENTS):
        if msgspec.msgpack.decode(raw, type=float) < ctx.now() - _ACTIVE_SECONDS:
            tx.delete(key)
        else:
            active.append(key)
    whole, rest = divmod(rule.reservoir, max(1, len(active)))
    return whole + (clients.key(client) in active[:rest])


async def summaries(ctx: Context, tx: Transaction) -> list[dict[str, Any]]:
    """Return what was told lately, by rule and minute."""
    space = _COUNTS.sub(ctx.account, ctx.region)
    oldest = ctx.now() - _KEPT_WINDOWS * _WINDOW_SECONDS
    found = []
    for key, raw in await tx.range(space.begin, space.end, limit=_MOST_WINDOWS):
        _, _, rule, window = _COUNTS.unpack(key)
        counts = _decode(raw)
        if window >= oldest:
            found.append(
                {
                    "RuleName": rule,
                    "Timestamp": window,
                    "RequestCount": counts.requests,
                    "BorrowCount": counts.borrowed,
                    "SampledCount": counts.sampled,
                }
            )
    return found


def forget(ctx: Context, tx: Transaction, rule: Rule) -> None:
    """Forget what was told of a rule that is no more."""
    for space in (_CLIENTS, _COUNTS):
        part = space.sub(ctx.account, ctx.region, rule.name)
        tx.delete_range(part.begin, part.end)
