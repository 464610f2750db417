"""The operations on daemon task definitions.

They are task definitions of a kind of their own, with the rules of the others. Their network mode is `bridge`.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import page_tokens, tags
from cloudlet.services.ecs import definitions, errors, registering, resource_tags, role_rules
from cloudlet.services.ecs.block import service
from cloudlet.services.ecs.definition_record import ACTIVE, DELETE_IN_PROGRESS, OF_DAEMONS, Definition
from cloudlet.services.ecs.definition_removal import REMOVALS

_MAX_PAGE_ITEMS: Final = 100
_READ_ROWS: Final = 100
_MEMBERS: Final = (
    "family",
    "revision",
    "taskRoleArn",
    "executionRoleArn",
    "containerDefinitions",
    "volumes",
    "cpu",
    "memory",
    "registeredAt",
    "registeredBy",
    "pidMode",
    "ipcMode",
)
_NOT_OF_CONTAINERS: Final = ("portMappings", "volumesFrom")
_NAMESPACES: Final = {"pidMode": "a PID namespace of the machine", "ipcMode": "an IPC namespace of the machine"}


@service.operation("RegisterDaemonTaskDefinition")
async def register_daemon_task_definition(ctx: Context, tx: Transaction, params: Params) -> Result:
    for member, what in _NAMESPACES.items():
        if params.get(member) == "shared":
            raise errors.NotBuilt(f"{what} for daemons ({member})")
    for volume in params.get("volumes") or ():
        if volume.get("logDriverVolumeConfiguration"):
            raise errors.NotBuilt("volumes with the logs of other tasks (logDriverVolumeConfiguration)")
    role_rules.check_definition(ctx, "RegisterDaemonTaskDefinition", params)
    others: dict[str, Any] = {name: value for name, value in params.items() if name not in _NAMESPACES}
    shape = registering.check_and_complete(others | {"networkMode": "bridge"})
    given = resource_tags.add({}, params.get("tags"))
    family = params["family"]
    revision = await definitions.add(tx, ctx.account, ctx.region, family, kind=OF_DAEMONS)
    shape |= {
        "revision": revision,
        "registeredAt": ctx.now(),
        "registeredBy": ctx.principal.arn,
        "pidMode": params.get("pidMode") or "none",
        "ipcMode": params.get("ipcMode") or "none",
    }
    made = Definition(ctx.account, ctx.region, family, revision, shape, kind=OF_DAEMONS)
    definitions.save(tx, made)
    tags.save(tx, made.arn, given)
    return {"daemonTaskDefinitionArn": made.arn}


def _describe(definition: Definition) -> dict[str, Any]:
    """Return a daemon task definition, without what only other task definitions have."""
    shape: dict[str, Any] = {name: definition.shape[name] for name in _MEMBERS if name in definition.shape}
    shape["containerDefinitions"] = [
        {name: value for name, value in each.items() if name not in _NOT_OF_CONTAINERS}
        for each in definition.containers
    ]
    return {
        **shape,
        "daemonTaskDefinitionArn": definition.arn,
        "status": definition.status,
        "deleteRequestedAt": definition.delete_requested_at,
    }


@service.operation("DescribeDaemonTaskDefinition")
async def describe_daemon_task_definition(ctx: Context, tx: Transaction, params: Params) -> Result:
    return {"daemonTaskDefinition": _describe(await _get(ctx, tx, params["daemonTaskDefinition"]))}


async def _get(ctx: Context, tx: Transaction, reference: str) -> Definition:
    found = await definitions.find(tx, ctx.account, ctx.region, reference, kind=OF_DAEMONS)
    if found is None:
        raise errors.ClientError("The specified daemon task definition does not exist.")
    return found


@service.operation("DeleteDaemonTaskDefinition")
async def delete_daemon_task_definition(ctx: Context, tx: Transaction, params: Params) -> Result:
    reference = params["daemonTaskDefinition"]
    if ":" not in reference.rpartition("/")[2]:
        raise errors.ClientError("The revision of the daemon task definition must be specified.")
    found = await _get(ctx, tx, reference)
    if found.status != ACTIVE:
        raise errors.ClientError("The specified daemon task definition is not in ACTIVE status.")
    gone = replace(found, status=DELETE_IN_PROGRESS, delete_requested_at=ctx.now())
    definitions.save(tx, gone)
    await definitions.count_out(tx, gone)
    REMOVALS.request(tx, gone.account, gone.region, gone.family, gone.revision, OF_DAEMONS)
    return {"daemonTaskDefinitionArn": gone.arn}


@service.operation("ListDaemonTaskDefinitions")
async def list_daemon_task_definitions(ctx: Context, tx: Transaction, params: Params) -> Result:
    if params.get("family") and params.get("familyPrefix"):
        raise errors.InvalidParameter("Specify either a family or a familyPrefix, but not both.")
    limit = params.get("maxResults") or _MAX_PAGE_ITEMS
    if not 1 <= limit <= _MAX_PAGE_ITEMS:
        raise errors.InvalidParameter(f"maxResults must be between 1 and {_MAX_PAGE_ITEMS}.")
    wrong = AwsError("InvalidParameterException", "Invalid token: the nextToken is not valid.")
    space = definitions.get_space(ctx.account, ctx.region, OF_DAEMONS)
    found = await _list_wanted(tx, params, space.begin, space.end)
    begin = _read_place(page_tokens.parse_page_token(params.get("nextToken"), wrong), wrong)
    listed = [each for each in found if _is_behind(each, begin, params)]
    token = None
    if len(listed) > limit:
        last = listed[limit - 1]
        token = page_tokens.make_page_token(f"{last.family}:{last.revision}".encode())
    return {"daemonTaskDefinitions": [_describe_briefly(each) for each in listed[:limit]], "nextToken": token}


async def _list_wanted(tx: Transaction, params: Params, begin: bytes, end: bytes) -> list[Definition]:
    """Return the definitions that a request asks for, in its order."""
    status, prefix = params.get("status") or ACTIVE, params.get("familyPrefix") or ""
    found: list[Definition] = []
    while rows := await tx.range(begin, end, limit=_READ_ROWS):
        found += [definitions.decode(raw) for _, raw in rows]
        begin = rows[-1][0] + b"\x00"
    if params.get("revision") == "LAST_REGISTERED":
        found = [*{each.family: each for each in found}.values()]
    found = [
        each
        for each in found
        if status in ("ALL", each.status)
        and each.family.startswith(prefix)
        and params.get("family") in (None, "", each.family)
    ]
    return found[::-1] if params.get("sort") == "DESC" else found


def _read_place(place: bytes | None, wrong: AwsError) -> tuple[str, int] | None:
    if not place:
        return None
    family, _, revision = place.decode(errors="replace").partition(":")
    if not revision.isdecimal():
        raise wrong
    return family, int(revision)


def _is_behind(definition: Definition, place: tuple[str, int] | None, params: Params) -> bool:
    """Whether a definition comes after the last one of the page before."""
    own = definition.family, definition.revision
    if place is None:
        return True
    return own < place if params.get("sort") == "DESC" else own > place


def _describe_briefly(definition: Definition) -> dict[str, Any]:
    return {
        "arn": definition.arn,
        "registeredAt": definition.shape["registeredAt"],
        "registeredBy": definition.shape["registeredBy"],
        "deleteRequestedAt": definition.delete_requested_at,
        "status": definition.status,
    }
