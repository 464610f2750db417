"""The operations on event source mappings."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.authorization.condition_keys import Keys
from cloudlet.core.aws import tags
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.lambda_ import access, errors, paging
from cloudlet.services.lambda_.block import service
from cloudlet.services.lambda_.functions import directory, tagging
from cloudlet.services.lambda_.functions.directory import FunctionReference
from cloudlet.services.lambda_.mappings import mapping, mapping_check, mapping_source
from cloudlet.services.lambda_.mappings.mapping import Mapping
from cloudlet.services.lambda_.mappings.mapping_check import Kind

_LISTED = 100


def _shown(found: Mapping) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "UUID": found.id,
        "EventSourceMappingArn": found.arn,
        "EventSourceArn": found.source,
        "FunctionArn": found.target.arn,
        "BatchSize": found.batch_size,
        "MaximumBatchingWindowInSeconds": found.window,
        "LastModified": found.modified,
        "State": found.state,
        "StateTransitionReason": found.reason,
        "FunctionResponseTypes": list(found.response_types),
        "FilterCriteria": {"Filters": [{"Pattern": each} for each in found.filters]} if found.filters else None,
    }
    if mapping_check.kind_of(found.source).is_stream:
        shown |= {
            "StartingPosition": found.position,
            "ParallelizationFactor": found.parallelization,
            "DestinationConfig": {"OnFailure": {"Destination": found.on_failure} if found.on_failure else {}},
            "MaximumRecordAgeInSeconds": found.maximum_age,
            "BisectBatchOnFunctionError": found.bisects,
            "MaximumRetryAttempts": found.attempts,
            "TumblingWindowInSeconds": found.tumbling_window,
            "LastProcessingResult": found.last_result,
        }
    elif found.maximum_concurrency is not None:
        shown["ScalingConfig"] = {"MaximumConcurrency": found.maximum_concurrency}
    return {name: value for name, value in shown.items() if value is not None}


async def _authorize(
    ctx: Context, tx: Transaction, action: str, arn: str, what: FunctionReference | None, keys: Keys | None = None
) -> None:
    """Raise AwsError unless the caller may do this to a mapping.

    Where its function is another account's, that has a say, too.
    """
    known = {} if what is None else {"lambda:FunctionArn": what.arn}
    await access.authorize_own(ctx, tx, arn, action, {**(keys or {}), **known})
    if what is not None and what.place.account != ctx.account:
        await access.authorize(ctx, tx, what, action)


async def _get_mapping(ctx: Context, tx: Transaction, params: Params, action: str) -> Mapping:
    """Return a mapping that the caller may do this to. Raises AwsError."""
    found = await mapping.find(tx, ctx.account, ctx.region, params["UUID"].lower())
    arn = mapping.make_arn(ctx.account, ctx.region, params["UUID"].lower())
    await _authorize(ctx, tx, action, arn, None if found is None else found.target)
    if found is None:
        raise errors.not_found()
    return found


async def _timeout(ctx: Context, what: FunctionReference) -> int:
    """Return how long (s) a function may take. Raises AwsError."""

    async def read(tx: Transaction) -> int:
        return (await directory.resolve(tx, what)).version.timeout

    return await ctx.transact(read)


async def _refuse_twin(tx: Transaction, kind: Kind, wanted: Mapping) -> None:
    other = await mapping.twin(tx, wanted)
    if other is not None and other != wanted.id:
        raise _exists(kind, wanted, other)


def _exists(kind: Kind, wanted: Mapping, other: str) -> AwsError:
    what = f'(" {wanted.source} ") and function (" {wanted.function.name} ")'
    if kind.is_stream:
        said = f"The event source arn {what} provided mapping already exists."
    else:
        said = f"An event source mapping with SQS arn {what} already exists."
    return errors.conflict(f"{said} Please update or delete the existing mapping with UUID {other}")


@service.direct("CreateEventSourceMapping")
async def create_event_source_mapping(ctx: Context, params: Params) -> Result:
    mapping_check.refuse_other_sources(params)
    what = directory.named(ctx, params["FunctionName"])
    kind = mapping_check.kind_of(params.get("EventSourceArn"))
    draft = mapping_check.configured(
        Mapping(
            id=uuid4(),
            account=ctx.account,
            region=ctx.region,
            source=params["EventSourceArn"],
            function=what.place,
            qualifier=what.qualifier or "",
            reason=kind.reason,
            created=ctx.now(),
            modified=ctx.now(),
            revision=uuid4(),
            batch_size=kind.batch_size,
            position=mapping_check.check_position(params, kind),
        ),
        kind,
        params,
    )
    tagged = tagging.checked(params.get("Tags"))

    async def authorize(tx: Transaction) -> None:
        keys = access.list_keys("CreateEventSourceMapping", params)
        await _authorize(ctx, tx, "CreateEventSourceMapping", "*", what, keys)
        if tagged:
            await access.authorize_own(ctx, tx, draft.arn, "TagResource", keys)

    await ctx.transact(authorize)
    timeout = await _timeout(ctx, what)
    await mapping_source.check(ctx, draft, kind, timeout)

    async def create(tx: Transaction) -> None:
        await directory.resolve(tx, what)
        await _refuse_twin(tx, kind, draft)
        mapping.save(tx, draft)
        tags.save(tx, draft.arn, tagged)

    await ctx.transact(create)
    return _shown(draft)


@service.operation("GetEventSourceMapping")
async def get_event_source_mapping(ctx: Context, tx: Transaction, params: Params) -> Result:
    return _shown(await _get_mapping(ctx, tx, params, "GetEventSourceMapping"))


@service.operation("ListEventSourceMappings")
async def list_event_source_mappings(ctx: Context, tx: Transaction, params: Params) -> Result:
    source, name = params.get("EventSourceArn"), params.get("FunctionName")
    target = directory.named(ctx, name) if name else None

    def select(raw: bytes) -> dict[str, Any] | None:
        found = mapping.decode(raw)
        is_asked = source in (None, found.source) and target in (None, found.target)
        return _shown(found) if is_asked else None

    found, marker = await paging.page(
        tx, mapping.of_account(ctx.account, ctx.region), params.get("Marker"), params.get("MaxItems"), select, _LISTED
    )
    return {"EventSourceMappings": found, "NextMarker": marker}


@service.direct("UpdateEventSourceMapping")
async def update_event_source_mapping(ctx: Context, params: Params) -> Result:
    mapping_check.refuse_other_sources(params)

    async def changed(tx: Transaction) -> tuple[Mapping, Mapping]:
        action = "UpdateEventSourceMapping"
        found = await _get_mapping(ctx, tx, params, action)
        if params.get("FunctionName"):
            await _authorize(ctx, tx, action, found.arn, directory.named(ctx, params["FunctionName"]))
        if found.state in mapping.CHANGING:
            raise errors.in_use("Cannot update the event source mapping because it is in use.")
        after = mapping_check.configured(found, mapping_check.kind_of(found.source), params)
        if params.get("FunctionName"):
            what = directory.named(ctx, params["FunctionName"])
            after = replace(after, function=what.place, qualifier=what.qualifier or "")
        return found, after

    _, wanted = await ctx.transact(changed)
    kind = mapping_check.kind_of(wanted.source)
    timeout = await _timeout(ctx, wanted.target)
    if wanted.is_enabled:
        # One that is to stop may do so while its source is down, or gone.
        await mapping_source.check(ctx, wanted, kind, timeout)

    async def update(tx: Transaction) -> Mapping:
        before, after = await changed(tx)
        await directory.resolve(tx, after.target)
        await _refuse_twin(tx, kind, after)
        mapping.forget_target(tx, before)
        after = replace(after, state=_passing(before, after), reason=kind.reason, modified=ctx.now(), revision=uuid4())
        mapping.save(tx, after)
        return after

    return _shown(await ctx.transact(update))


def _passing(before: Mapping, after: Mapping) -> str:
    """Return the state of a mapping that was changed, until that has taken effect."""
    if before.is_enabled == after.is_enabled:
        return "Updating"
    return "Enabling" if after.is_enabled else "Disabling"


@service.operation("DeleteEventSourceMapping")
async def delete_event_source_mapping(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _get_mapping(ctx, tx, params, "DeleteEventSourceMapping")
    if found.state in mapping.CHANGING:
        raise errors.in_use("Cannot delete the event source mapping because it is in use.")
    reason = mapping_check.kind_of(found.source).reason
    found = replace(found, state=mapping.DELETING, reason=reason, modified=ctx.now(), revision=uuid4())
    mapping.save(tx, found)
    return _shown(found)
