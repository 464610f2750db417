"""The operations on archives and replays."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.core import Arn, AwsError, Context, Params, Result, Transaction
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.events import (
    archive,
    archive_rule,
    bus,
    bus_record,
    errors,
    event,
    paging,
    pattern,
    replay,
    rule_record,
)
from cloudlet.services.events.archive import Archive
from cloudlet.services.events.block import service
from cloudlet.services.events.replay import Replay

_REPLAYS_AT_ONCE = 10


def _check(params: Params) -> None:
    if params.get("KmsKeyIdentifier"):
        raise errors.not_built("the parameter KmsKeyIdentifier of archives")
    if params.get("EventPattern"):
        pattern.compile(params["EventPattern"])


def _given(shown: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in shown.items() if value != "" and value is not None}


async def _shown(tx: Transaction, found: Archive) -> dict[str, Any]:
    events, size = await archive.counts(tx, found)
    return {
        "ArchiveName": found.name,
        "EventSourceArn": found.place.arn,
        "State": "ENABLED",
        "RetentionDays": found.days,
        "SizeBytes": size,
        "EventCount": events,
        "CreationTime": found.created,
    }


@service.operation("CreateArchive")
async def create_archive(ctx: Context, tx: Transaction, params: Params) -> Result:
    _check(params)
    name = params["ArchiveName"]
    place = bus.place_of_arn(params["EventSourceArn"])
    if (place.account, place.region) != (ctx.account, ctx.region):
        raise errors.validation("The event bus must be in the account and the region of the archive.")
    await bus.get(tx, place)
    if await archive.find(tx, ctx.account, ctx.region, name) is not None:
        raise AwsError("ResourceAlreadyExistsException", f"Archive {name} already exists.")
    space = archive.of_account(ctx.account, ctx.region)
    if len(await tx.range(space.begin, space.end, limit=archive.ARCHIVES)) == archive.ARCHIVES:
        raise errors.limit_exceeded()
    made = Archive(
        ctx.account,
        ctx.region,
        name,
        place.name,
        uuid4(),
        ctx.now(),
        params.get("EventPattern") or "",
        params.get("Description") or "",
        params.get("RetentionDays") or 0,
    )
    archive.save(tx, made)
    await archive_rule.save(tx, made)
    return {"ArchiveArn": made.arn, "State": "ENABLED", "CreationTime": made.created}


@service.operation("UpdateArchive")
async def update_archive(ctx: Context, tx: Transaction, params: Params) -> Result:
    _check(params)
    found = await archive.get(tx, ctx.account, ctx.region, params["ArchiveName"])
    days = params.get("RetentionDays")
    changed = replace(
        found,
        pattern=params.get("EventPattern") or found.pattern,
        description=params.get("Description", found.description),
        days=found.days if days is None else days,
    )
    archive.save(tx, changed)
    await archive_rule.save(tx, changed)
    return {"ArchiveArn": changed.arn, "State": "ENABLED", "CreationTime": changed.created}


@service.operation("DeleteArchive")
async def delete_archive(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await archive.get(tx, ctx.account, ctx.region, params["ArchiveName"])
    archive.remove(tx, found)
    await archive_rule.remove(tx, found)
    return {}


@service.operation("DescribeArchive")
async def describe_archive(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await archive.get(tx, ctx.account, ctx.region, params["ArchiveName"])
    more = {"ArchiveArn": found.arn, "Description": found.description, "EventPattern": found.pattern}
    return _given({**await _shown(tx, found), **more})


def _check_selection(params: Params, *names: str) -> None:
    if sum(bool(params.get(name)) for name in names) > 1:
        raise errors.validation(f"At most one filter is allowed: {', '.join(names)}.")


@service.operation("ListArchives")
async def list_archives(ctx: Context, tx: Transaction, params: Params) -> Result:
    _check_selection(params, "NamePrefix", "EventSourceArn", "State")

    def select(raw: bytes) -> Archive | None:
        found = archive.decode(raw)
        wanted = (
            found.name.startswith(params.get("NamePrefix") or "")
            and params.get("EventSourceArn") in (None, found.place.arn)
            and params.get("State") in (None, "ENABLED")
        )
        return found if wanted else None

    space = archive.of_account(ctx.account, ctx.region)
    found, token = await paging.page(tx, space, params.get("NextToken"), params.get("Limit"), select)
    return {"Archives": [await _shown(tx, each) for each in found], "NextToken": token}


@service.operation("StartReplay")
async def start_replay(ctx: Context, tx: Transaction, params: Params) -> Result:
    name, destination = params["ReplayName"], params["Destination"]
    source = await archive.find(tx, ctx.account, ctx.region, archived := _archive_name(ctx, params["EventSourceArn"]))
    if source is None:
        raise _invalid("EventSourceArn", f"Archive {archived} does not exist.")
    await bus.get(tx, _destination_of(destination["Arn"]))
    if destination["Arn"] != source.place.arn:
        raise _invalid("Destination.Arn", "Cross event bus replay is not permitted.")
    filters = tuple(destination.get("FilterArns") or ())
    for arn in filters:
        if not arn.startswith(rule_record.arn_of(source.place, "")):
            raise _invalid("Destination.FilterArns", f"{arn} is no rule of the bus.")
    if not 0 <= params["EventStartTime"] < params["EventEndTime"] < event.LATEST:
        raise _invalid("EventEndTime", "EventStartTime must be before EventEndTime.")
    if await replay.find(tx, ctx.account, ctx.region, name) is not None:
        raise AwsError("ResourceAlreadyExistsException", f"Replay {name} already exists.")
    if await replay.running(tx, ctx.account, ctx.region, _REPLAYS_AT_ONCE) == _REPLAYS_AT_ONCE:
        raise errors.limit_exceeded()
    made = Replay(
        ctx.account,
        ctx.region,
        name,
        source.name,
        source.place.arn,
        filters,
        params["EventStartTime"],
        params["EventEndTime"],
        ctx.now(),
        "STARTING",
        description=params.get("Description") or "",
        source=source.id,
    )
    replay.save(tx, made)
    return {"ReplayArn": made.arn, "State": made.state, "ReplayStartTime": made.started}


def _invalid(parameter: str, reason: str) -> AwsError:
    return errors.validation(f"Parameter {parameter} is not valid. Reason: {reason}")


def _archive_name(ctx: Context, text: str) -> str:
    arn = Arn.parse(text)
    kind, _, name = arn.resource.partition("/")
    if (kind, arn.account, arn.region) != ("archive", ctx.account, ctx.region):
        raise _invalid("EventSourceArn", "Must contain an archive ARN.")
    return name


def _destination_of(arn: str) -> bus_record.Place:
    try:
        return bus.place_of_arn(arn)
    except AwsError:
        raise _invalid("Destination.Arn", "Must contain an event bus ARN.") from None


@service.operation("CancelReplay")
async def cancel_replay(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await replay.get(tx, ctx.account, ctx.region, params["ReplayName"])
    if found.state not in ("STARTING", "RUNNING"):
        raise AwsError("IllegalStatusException", f"Replay {found.name} is not in a valid state for this operation.")
    replay.save(tx, replace(found, state="CANCELLING"))
    return {"ReplayArn": found.arn, "State": "CANCELLING"}


def _shown_replay(found: Replay) -> dict[str, Any]:
    source = Archive(found.account, found.region, found.archive, "", "", 0.0)
    shown = {
        "ReplayName": found.name,
        "EventSourceArn": source.arn,
        "State": found.state,
        "StateReason": found.reason,
        "EventStartTime": found.start,
        "EventEndTime": found.end,
        "EventLastReplayedTime": found.last or None,
        "ReplayStartTime": found.started,
        "ReplayEndTime": found.ended or None,
    }
    return _given(shown)


@service.operation("DescribeReplay")
async def describe_replay(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await replay.get(tx, ctx.account, ctx.region, params["ReplayName"])
    filters = {"FilterArns": list(found.rules)} if found.rules else {}
    more = {"ReplayArn": found.arn, "Description": found.description, "Destination": {"Arn": found.bus, **filters}}
    return _given({**_shown_replay(found), **more})


@service.operation("ListReplays")
async def list_replays(ctx: Context, tx: Transaction, params: Params) -> Result:
    _check_selection(params, "NamePrefix", "EventSourceArn", "State")

    def select(raw: bytes) -> dict[str, Any] | None:
        shown = _shown_replay(replay.decode(raw))
        wanted = (
            shown["ReplayName"].startswith(params.get("NamePrefix") or "")
            and params.get("EventSourceArn") in (None, shown["EventSourceArn"])
            and params.get("State") in (None, shown["State"])
        )
        return shown if wanted else None

    space = replay.of_account(ctx.account, ctx.region)
    found, token = await paging.page(tx, space, params.get("NextToken"), params.get("Limit"), select)
    return {"Replays": found, "NextToken": token}
