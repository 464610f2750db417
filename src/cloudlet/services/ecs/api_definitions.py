"""The operations on task definitions."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import listing, page_tokens, tags
from cloudlet.services.ecs import definitions, errors, registering, resource_tags, role_rules
from cloudlet.services.ecs.block import service
from cloudlet.services.ecs.definition_record import ACTIVE, DELETE_IN_PROGRESS, INACTIVE, Definition, Family
from cloudlet.services.ecs.definition_removal import REMOVALS

_MAX_DELETED_ITEMS: Final = 10
_MAX_PAGE_ITEMS: Final = 100
_MAX_ACTIVE_REVISIONS: Final = 1_000_000
"""Quota "Revisions per task definition family"."""


@service.operation("RegisterTaskDefinition")
async def register_task_definition(ctx: Context, tx: Transaction, params: Params) -> Result:
    made = await register(ctx, tx, params)
    return {"taskDefinition": made.to_api(), "tags": resource_tags.to_api(await tags.load(tx, made.arn))}


async def register(ctx: Context, tx: Transaction, params: Params) -> Definition:
    """Write the task definition of a request; return it. Raises AwsError."""
    role_rules.check_definition(ctx, "RegisterTaskDefinition", params)
    shape = registering.check_and_complete(params)
    given = resource_tags.add({}, params.get("tags"))
    family = params["family"]
    revision = await definitions.add(tx, ctx.account, ctx.region, family)
    if revision > _MAX_ACTIVE_REVISIONS:
        raise errors.QuotaError(f"Task definition family {family} has too many revisions.")
    shape |= {"revision": revision, "registeredAt": ctx.now(), "registeredBy": ctx.principal.arn}
    made = Definition(ctx.account, ctx.region, family, revision, shape)
    definitions.save(tx, made)
    tags.save(tx, made.arn, given)
    return made


@service.operation("DescribeTaskDefinition")
async def describe_task_definition(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await definitions.get(tx, ctx.account, ctx.region, params["taskDefinition"])
    answer: dict[str, Any] = {"taskDefinition": found.to_api()}
    if "TAGS" in (params.get("include") or ()):
        answer["tags"] = resource_tags.to_api(await tags.load(tx, found.arn))
    return answer


@service.operation("DeregisterTaskDefinition")
async def deregister_task_definition(ctx: Context, tx: Transaction, params: Params) -> Result:
    reference = params["taskDefinition"]
    if ":" not in reference.rpartition("/")[2]:
        raise errors.ClientError("The revision of the task definition must be specified.")
    found = await definitions.find(tx, ctx.account, ctx.region, reference)
    if found is None:
        raise errors.ClientError("The specified task definition does not exist.")
    if found.status == ACTIVE:
        found = replace(found, status=INACTIVE, deregistered_at=ctx.now())
        definitions.save(tx, found)
        await definitions.count_out(tx, found)
    return {"taskDefinition": found.to_api()}


@service.operation("DeleteTaskDefinitions")
async def delete_task_definitions(ctx: Context, tx: Transaction, params: Params) -> Result:
    references = params["taskDefinitions"]
    if not references or len(references) > _MAX_DELETED_ITEMS:
        raise errors.InvalidParameter(f"Specify between 1 and {_MAX_DELETED_ITEMS} task definitions.")
    deleted, failures = [], []
    for reference in references:
        found = await definitions.find(tx, ctx.account, ctx.region, reference)
        if found is None or ":" not in reference.rpartition("/")[2]:
            failures.append({"arn": reference, "reason": "The specified task definition does not exist."})
        elif found.status == ACTIVE:
            reason = (
                "The specified task definition is still in ACTIVE status. Please deregister the target and try again."
            )
            failures.append({"arn": found.arn, "reason": reason})
        else:
            if found.status == INACTIVE:
                found = replace(found, status=DELETE_IN_PROGRESS, delete_requested_at=ctx.now())
                definitions.save(tx, found)
                REMOVALS.request(tx, found.account, found.region, found.family, found.revision)
            deleted.append(found.to_api())
    return {"taskDefinitions": deleted, "failures": failures}


@service.operation("ListTaskDefinitions")
async def list_task_definitions(ctx: Context, tx: Transaction, params: Params) -> Result:
    status = params.get("status") or ACTIVE
    space = definitions.get_space(ctx.account, ctx.region)
    if params.get("familyPrefix"):
        space = space.sub(params["familyPrefix"])
    limit = _read_limit(params)
    is_descending = params.get("sort") == "DESC"
    place = page_tokens.parse_page_token(params.get("nextToken"), _InvalidToken())
    begin, end = space.begin, space.end
    if place and is_descending:
        end = space.prefix + place
    elif place:
        begin = space.prefix + place + b"\x00"
    arns: list[str] = []
    last = b""
    while rows := await tx.range(begin, end, limit=_MAX_PAGE_ITEMS, reverse=is_descending):
        for key, raw in rows:
            if (found := definitions.decode(raw)).status == status:
                if len(arns) == limit:
                    token = page_tokens.make_page_token(last.removeprefix(space.prefix))
                    return {"taskDefinitionArns": arns, "nextToken": token}
                arns.append(found.arn)
                last = key
        begin, end = (begin, rows[-1][0]) if is_descending else (rows[-1][0] + b"\x00", end)
    return {"taskDefinitionArns": arns}


@service.operation("ListTaskDefinitionFamilies")
async def list_task_definition_families(ctx: Context, tx: Transaction, params: Params) -> Result:
    prefix, status = params.get("familyPrefix") or "", params.get("status") or "ALL"

    def select(raw: bytes) -> str | None:
        family = definitions.decode_family(raw)
        return family.name if family.name.startswith(prefix) and _has_status(family, status) else None

    space = definitions.get_family_space(ctx.account, ctx.region)
    token = params.get("nextToken")
    names, following = await listing.list_page(tx, space, token, _read_limit(params), select, _InvalidToken())
    return {"families": names, "nextToken": following}


def _has_status(family: Family, status: str) -> bool:
    return status == "ALL" or (status == "ACTIVE") == (family.active > 0)


def _read_limit(params: Params) -> int:
    limit = params.get("maxResults") or _MAX_PAGE_ITEMS
    if not 1 <= limit <= _MAX_PAGE_ITEMS:
        raise errors.InvalidParameter(f"maxResults must be between 1 and {_MAX_PAGE_ITEMS}.")
    return int(limit)


class _InvalidToken(AwsError):
    def __init__(self) -> None:
        super().__init__("InvalidParameterException", "Invalid token: the nextToken is not valid.")
