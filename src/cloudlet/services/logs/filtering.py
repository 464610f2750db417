"""FilterLogEvents: the events of a group that match a pattern, of all streams, in the order of time."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.logs import errors, events, patterns, protection, scanning
from cloudlet.services.logs import group as groups
from cloudlet.services.logs import stream as streams
from cloudlet.services.logs.events import Position
from cloudlet.services.logs.group_record import Group
from cloudlet.services.logs.matching import matching
from cloudlet.services.logs.patterns import Pattern, PatternProblem
from cloudlet.services.logs.protection import Mask
from cloudlet.services.logs.scanning import FOREVER, Search
from cloudlet.services.logs.stream_record import Stream

_STREAMS_AT_ONCE = 500


def pattern_of(text: str) -> Pattern | None:
    """Return the pattern of a text, None for one that all messages match. Raises AwsError."""
    if not text.strip(' "'):
        return None
    try:
        return patterns.parse(text)
    except PatternProblem as problem:
        raise errors.invalid(f"Invalid filter pattern: {problem}") from None


async def filter_log_events(ctx: Context, params: Params) -> Result:
    """Answer FilterLogEvents. `interleaved` has no meaning any more, as AWS says: all are."""
    pattern = pattern_of(params.get("filterPattern", ""))
    reverse = not params.get("startFromHead", True)
    position = _position_of(params.get("nextToken"), reverse)

    async def look(tx: Transaction) -> tuple[Group, Mask | None]:
        group = await groups.identified(ctx, tx, params)
        return group, await masking(tx, group, params)

    group, mask = await ctx.transact(look)
    wanted = await _streams(ctx, group, params)
    if wanted is not None and not wanted:
        return {"events": [], "searchedLogStreams": []}
    search = Search(
        group.id,
        next(iter(wanted)) if wanted is not None and len(wanted) == 1 else None,
        wanted,
        first=max(params.get("startTime", 0), group.horizon(ctx.now())),
        last=params.get("endTime", FOREVER),
        after=None if reverse else position,
        before=position if reverse else None,
        reverse=reverse,
        pattern=pattern,
        account=ctx.account,
        mask=mask,
    )
    found, following = await scanning.page(ctx.block, search, params.get("limit", scanning.MOST_EVENTS))
    names = await _names(ctx, group, {event.position.stream for event in found})
    shown = [_shown(event, names[event.position.stream]) for event in found if event.position.stream in names]
    return {
        "events": shown,
        "searchedLogStreams": [],
        "nextToken": None if following is None else _token_of(following, reverse),
    }


async def masking(tx: Transaction, group: Group, params: Params) -> Mask | None:
    """Return what masks the messages that a request reads, if it does not ask for them as they are (`unmask`)."""
    return None if params.get("unmask") else await protection.mask_of(tx, group.id, group.account, group.region)


def _token_of(position: Position, reverse: bool) -> str:
    return f"{'b' if reverse else 'f'}{position.id}"


def _position_of(token: str | None, reverse: bool) -> Position | None:
    if token is None:
        return None
    try:
        position = events.position_of(token[1:])
    except ValueError:
        raise errors.invalid_token() from None
    if _token_of(position, reverse) != token:
        raise errors.invalid_token()
    return position


async def _streams(ctx: Context, group: Group, params: Params) -> set[int] | None:
    """Return the numbers of the streams that are asked for; None for all. Raises AwsError."""
    names, prefix = params.get("logStreamNames"), params.get("logStreamNamePrefix")
    if names is not None and prefix is not None:
        raise errors.invalid("logStreamNamePrefix and logStreamNames are mutually exclusive parameters.")
    if prefix is None and names is None:
        return None
    found: set[int] = set()
    if names is not None:

        async def named(tx: Transaction) -> set[int]:
            return {(await streams.named(tx, group, name)).id for name in names}

        return await ctx.transact(named)
    after = b""
    while True:

        async def page(tx: Transaction, after: bytes = after) -> list[tuple[bytes, Stream]]:
            return await streams.page(tx, group, prefix or "", after, _STREAMS_AT_ONCE)

        some = await ctx.transact(page)
        found.update(stream.id for _, stream in some)
        if len(some) < _STREAMS_AT_ONCE:
            return found
        after = some[-1][0]


async def _names(ctx: Context, group: Group, wanted: set[int]) -> dict[int, str]:
    """Return the names of streams, but of those that are gone."""

    async def look(tx: Transaction) -> dict[int, str]:
        found = {stream: await streams.name_of(tx, group.id, stream) for stream in wanted}
        return {stream: name for stream, name in found.items() if name is not None}

    return await ctx.transact(look)


def _shown(event: scanning.Found, stream_name: str) -> dict[str, Any]:
    return {
        "logStreamName": stream_name,
        "timestamp": event.position.timestamp,
        "message": event.message,
        "ingestionTime": event.ingested,
        "eventId": event.position.id,
    }


async def test_metric_filter(ctx: Context, params: Params) -> Result:
    """Answer TestMetricFilter."""
    pattern, messages = pattern_of(params["filterPattern"]), params["logEventMessages"]
    return {
        "matches": [
            {
                "eventNumber": at + 1,
                "eventMessage": messages[at],
                "extractedValues": {} if pattern is None else pattern.extract(messages[at]),
            }
            for at in await matching(ctx.account, pattern, messages)
        ]
    }
