"""The operations on pipes: they say what is desired, and the job of the block makes it so."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.core import Context, FinalTransaction, Params, Result, Transaction
from cloudlet.core.authorization import tagged_resources
from cloudlet.core.aws import listing, tags
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.pipes import calling, checking, errors, pipe
from cloudlet.services.pipes.block import service
from cloudlet.services.pipes.pipe import Parameters, Pipe
from cloudlet.services.pipes.running import DELETED, RUNNING, STOPPED, TOPIC

_PIPES = 1000
"""Of an account in a region, at most (user guide, "Quotas")."""
_IN_CHANGE = ("CREATING", "UPDATING", "DELETING", "STARTING", "STOPPING")


@service.direct("CreatePipe")
async def create_pipe(ctx: Context, params: Params) -> Result | FinalTransaction:
    await calling.check_role(ctx, params["RoleArn"], params["Name"])
    return FinalTransaction(lambda tx: _create_pipe(ctx, tx, params))


async def _create_pipe(ctx: Context, tx: Transaction, params: Params) -> Result:
    name = params["Name"]
    _refuse_unbuilt(params)
    now = ctx.now()
    asked = Pipe(
        ctx.account,
        ctx.region,
        name,
        uuid4(),
        params["Source"],
        params.get("Enrichment") or "",
        params["Target"],
        params["RoleArn"],
        params.get("SourceParameters") or {},
        params.get("EnrichmentParameters") or {},
        params.get("TargetParameters") or {},
        params.get("Description") or "",
        params.get("DesiredState") or RUNNING,
        "CREATING",
        now,
        now,
        now,
        log=params.get("LogConfiguration") or {},
    )
    asked = checking.checked(ctx, asked)
    if await pipe.find(tx, ctx.account, ctx.region, name) is not None:
        raise errors.conflict(name, f"Pipe {name} already exists.")
    space = pipe.of_account(ctx.account, ctx.region)
    if len(await tx.range(space.begin, space.end, limit=_PIPES)) == _PIPES:
        raise errors.quota_exceeded(name, f"An account has at most {_PIPES} pipes.")
    tags.save(tx, asked.arn, tags.merge({}, params.get("Tags"), errors.validation))
    return _save(tx, asked)


@service.direct("UpdatePipe")
async def update_pipe(ctx: Context, params: Params) -> Result | FinalTransaction:
    await calling.check_role(ctx, params["RoleArn"], params["Name"])
    return FinalTransaction(lambda tx: _update_pipe(ctx, tx, params))


async def _update_pipe(ctx: Context, tx: Transaction, params: Params) -> Result:
    _refuse_unbuilt(params)
    found = await _changeable(ctx, tx, params, "UpdatePipe")
    asked = replace(
        found,
        role=params["RoleArn"],
        description=params.get("Description", found.description),
        enrichment=params.get("Enrichment", found.enrichment),
        target=params.get("Target", found.target),
        source_parameters=_merged(found.source_parameters, params.get("SourceParameters") or {}),
        enrichment_parameters=params.get("EnrichmentParameters", found.enrichment_parameters),
        target_parameters=params.get("TargetParameters", found.target_parameters),
        log=params.get("LogConfiguration", found.log),
    )
    if not asked.enrichment:
        asked = replace(asked, enrichment_parameters={})
    return _changed(ctx, tx, checking.checked(ctx, asked), params.get("DesiredState") or found.desired, "UPDATING")


def _merged(known: Parameters, given: Parameters) -> Parameters:
    """Return the parameters of a source with some changed; where a stream is read from cannot be changed."""
    return {
        **known,
        **{name: {**known.get(name, {}), **new} if name != "FilterCriteria" else new for name, new in given.items()},
    }


@service.operation("DescribePipe")
async def describe_pipe(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _open(ctx, tx, params, "DescribePipe")
    return {
        **_shown(found),
        "Description": found.description or None,
        "StateReason": found.reason or None,
        "Source": found.source,
        "SourceParameters": found.source_parameters,
        "Enrichment": found.enrichment or None,
        "EnrichmentParameters": found.enrichment_parameters or None,
        "Target": found.target,
        "TargetParameters": found.target_parameters or None,
        "RoleArn": found.role,
        "LogConfiguration": found.log or None,
        "Tags": await tags.load(tx, found.arn),
    }


@service.operation("DeletePipe")
async def delete_pipe(ctx: Context, tx: Transaction, params: Params) -> Result:
    return _changed(ctx, tx, await _changeable(ctx, tx, params, "DeletePipe"), DELETED, "DELETING")


@service.operation("StartPipe")
async def start_pipe(ctx: Context, tx: Transaction, params: Params) -> Result:
    return _changed(ctx, tx, await _changeable(ctx, tx, params, "StartPipe"), RUNNING, "STARTING")


@service.operation("StopPipe")
async def stop_pipe(ctx: Context, tx: Transaction, params: Params) -> Result:
    return _changed(ctx, tx, await _changeable(ctx, tx, params, "StopPipe"), STOPPED, "STOPPING")


@service.operation("ListPipes")
async def list_pipes(ctx: Context, tx: Transaction, params: Params) -> Result:
    desired, current = params.get("DesiredState"), params.get("CurrentState")

    def select(raw: bytes) -> dict[str, Any] | None:
        found = pipe.decode(raw)
        wanted = (
            found.name.startswith(params.get("NamePrefix") or "")
            and found.source.startswith(params.get("SourcePrefix") or "")
            and found.target.startswith(params.get("TargetPrefix") or "")
            and desired in (None, found.desired)
            and current in (None, found.state)
        )
        if not wanted:
            return None
        parts = {"Source": found.source, "Target": found.target, "Enrichment": found.enrichment or None}
        return {**_shown(found), **parts, "StateReason": found.reason or None}

    space = pipe.of_account(ctx.account, ctx.region)
    token, limit = params.get("NextToken"), params.get("Limit")
    shown, following = await listing.list_page(tx, space, token, limit, select, errors.wrong_token())
    return {"Pipes": shown, "NextToken": following}


def _refuse_unbuilt(params: Params) -> None:
    if params.get("KmsKeyIdentifier"):
        raise errors.not_built("the parameter KmsKeyIdentifier of pipes")


async def _open(ctx: Context, tx: Transaction, params: Params, operation: str) -> Pipe:
    """Return the pipe that a request names, if the caller may do this to it. Raises AwsError."""
    name = params["Name"]
    arn = pipe.arn_of(ctx.account, ctx.region, name)
    await tagged_resources.authorize(ctx, tx, operation, arn, params)
    return await pipe.get(tx, ctx.account, ctx.region, name)


async def _changeable(ctx: Context, tx: Transaction, params: Params, operation: str) -> Pipe:
    """Return the pipe that a request names, to which nothing is being done. Raises AwsError."""
    found = await _open(ctx, tx, params, operation)
    if found.state in _IN_CHANGE:
        raise errors.conflict(found.name, f"Pipe {found.name} cannot be changed while it is {found.state}.")
    return found


def _changed(ctx: Context, tx: Transaction, asked: Pipe, desired: str, state: str) -> Result:
    """Save a pipe for which something else is desired, and return its state."""
    changed = replace(asked, desired=desired, state=state, reason="", modified=ctx.now(), version=asked.version + 1)
    return _save(tx, changed)


def _save(tx: Transaction, changed: Pipe) -> Result:
    pipe.save(tx, changed)
    tx.notify(TOPIC)
    return _shown(changed)


def _shown(found: Pipe) -> dict[str, Any]:
    return {
        "Arn": found.arn,
        "Name": found.name,
        "DesiredState": found.desired,
        "CurrentState": found.state,
        "CreationTime": found.created,
        "LastModifiedTime": found.modified,
    }
