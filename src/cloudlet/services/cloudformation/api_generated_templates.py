"""The operations on generated templates."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

import yaml
from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import listing
from cloudlet.core.aws.resources.caller import Caller
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.cloudformation import errors, stacks
from cloudlet.services.cloudformation.block import service
from cloudlet.services.cloudformation.compiling import get_schema
from cloudlet.services.cloudformation.operations.importing import can_import
from cloudlet.services.cloudformation.scanning import generated_record, generating
from cloudlet.services.cloudformation.scanning.generated_record import GeneratedResource, GeneratedTemplate
from cloudlet.services.cloudformation.scanning.generating import TEMPLATES

_PAGE: Final = 50
MAX_RESOURCES: Final = 500


def _make_resource(asked: Params, taken: Iterable[str]) -> GeneratedResource:
    """Return a resource for a template, with a logical id of its own. Raises AwsError."""
    kind, identifier = asked["ResourceType"], dict(asked["ResourceIdentifier"])
    if not can_import(kind):
        raise errors.make_validation_error(f"Resource type {kind} is not supported.")
    names = get_schema(kind).identifier
    if set(identifier) != set(names):
        raise errors.make_validation_error(
            f"The resource identifier of a resource of type {kind} must have exactly the properties "
            f"[{', '.join(names)}]."
        )
    name = asked.get("LogicalResourceId") or _make_name(kind, identifier, set(taken))
    if name in taken:
        raise errors.make_validation_error(f"Logical resource id {name} is already in use.")
    return GeneratedResource(kind, name, identifier)


def _make_name(kind: str, identifier: dict[str, str], taken: set[str]) -> str:
    letters = "".join(filter(str.isalnum, "".join(identifier.values()).rpartition("/")[2]))
    made = "".join(kind.split("::")[1:]) + f"00{letters}"[:60]
    number = 0
    while (name := f"{made}{number or ''}") in taken:
        number += 1
    return name


def _add_resources(found: list[GeneratedResource], asked: Iterable[Params], base: str) -> list[GeneratedResource]:
    """Return resources with those that a request adds. Raises AwsError."""
    taken = {*(json.loads(base)["Resources"] if base else ()), *(one.name for one in found)}
    added = list(found)
    for one in asked:
        made = _make_resource(one, taken)
        taken.add(made.name)
        added.append(made)
    if len(added) > MAX_RESOURCES:
        raise AwsError("LimitExceededException", f"A generated template has at most {MAX_RESOURCES} resources.")
    return added


async def _check_name(ctx: Context, tx: Transaction, name: str) -> None:
    vault = ctx.block.cloud.vault
    if await generated_record.find_by_name(tx, vault, ctx.account, ctx.region, name) is not None:
        raise AwsError("AlreadyExistsException", f"Template with name {name} already exists")


@service.operation("CreateGeneratedTemplate")
async def create_generated_template(ctx: Context, tx: Transaction, params: Params) -> Result:
    name = params["GeneratedTemplateName"]
    await _check_name(ctx, tx, name)
    stack, base = "", ""
    if params.get("StackName"):
        found = await stacks.get_live(ctx, tx, params["StackName"])
        target = await stacks.find_target(tx, ctx.block.cloud.vault, found, found.target)
        stack, base = found.arn, "" if target is None else target.processed
    config = params.get("TemplateConfiguration") or {}
    made = GeneratedTemplate(
        ctx.account,
        ctx.region,
        uuid4(),
        name,
        ctx.now(),
        Caller.from_principal(ctx.principal),
        ctx.now(),
        resources=_add_resources([], params.get("Resources") or (), base),
        deletion_policy=config.get("DeletionPolicy") or "RETAIN",
        update_replace_policy=config.get("UpdateReplacePolicy") or "RETAIN",
        stack=stack,
        base=base,
    )
    _begin(ctx, tx, made)
    return {"GeneratedTemplateId": made.arn}


def _begin(ctx: Context, tx: Transaction, template: GeneratedTemplate) -> None:
    generated_record.save(tx, ctx.block.cloud.vault, template)
    TEMPLATES.request(tx, template.account, template.region, template.id)


async def _get(ctx: Context, tx: Transaction, params: Params) -> GeneratedTemplate:
    vault = ctx.block.cloud.vault
    return await generated_record.get(tx, vault, ctx.account, ctx.region, params["GeneratedTemplateName"])


@service.operation("UpdateGeneratedTemplate")
async def update_generated_template(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _get(ctx, tx, params)
    removed = set(params.get("RemoveResources") or ())
    if missing := removed - {one.name for one in found.resources}:
        raise errors.make_validation_error(f"Resources [{', '.join(sorted(missing))}] are not in the template.")
    kept = [one for one in found.resources if one.name not in removed]
    if params.get("RefreshAllResources"):
        kept = [GeneratedResource(one.type, one.name, one.identifier) for one in kept]
    config = params.get("TemplateConfiguration") or {}
    name = params.get("NewGeneratedTemplateName") or found.name
    if name != found.name:
        await _check_name(ctx, tx, name)
        generated_record.remove_name(tx, found)
    changed = replace(
        found,
        name=name,
        caller=Caller.from_principal(ctx.principal),
        status="UPDATE_IN_PROGRESS",
        reason="",
        updated=ctx.now(),
        resources=_add_resources(kept, params.get("AddResources") or (), found.base),
        deletion_policy=config.get("DeletionPolicy") or found.deletion_policy,
        update_replace_policy=config.get("UpdateReplacePolicy") or found.update_replace_policy,
    )
    _begin(ctx, tx, changed)
    return {"GeneratedTemplateId": changed.arn}


@service.operation("DeleteGeneratedTemplate")
async def delete_generated_template(ctx: Context, tx: Transaction, params: Params) -> Result:
    generated_record.remove(tx, await _get(ctx, tx, params))
    return {}


def _summarize(found: GeneratedTemplate) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "GeneratedTemplateId": found.arn,
        "GeneratedTemplateName": found.name,
        "Status": found.status,
        "CreationTime": found.created,
        "LastUpdatedTime": found.updated,
    }
    return shown | ({"StatusReason": found.reason} if found.reason else {})


def _describe_resource(found: GeneratedResource) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "ResourceType": found.type,
        "LogicalResourceId": found.name,
        "ResourceIdentifier": found.identifier,
        "ResourceStatus": found.status,
        "Warnings": _list_warnings(found),
    }
    return shown | ({"ResourceStatusReason": found.reason} if found.reason else {})


def _list_warnings(found: GeneratedResource) -> list[dict[str, Any]]:
    unread = generating.list_unread(found.type, found.properties) if found.status == "COMPLETE" else []
    return [{"Type": "UNSUPPORTED_PROPERTIES", "Properties": unread}] if unread else []


@service.operation("DescribeGeneratedTemplate")
async def describe_generated_template(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _get(ctx, tx, params)
    states = [one.status for one in found.resources]
    shown = {
        **_summarize(found),
        "Resources": [_describe_resource(one) for one in found.resources],
        "Progress": {
            "ResourcesSucceeded": states.count("COMPLETE"),
            "ResourcesFailed": states.count("FAILED"),
            "ResourcesProcessing": 0,
            "ResourcesPending": states.count("PENDING"),
        },
        "TemplateConfiguration": {
            "DeletionPolicy": found.deletion_policy,
            "UpdateReplacePolicy": found.update_replace_policy,
        },
        "TotalWarnings": sum(len(_list_warnings(one)) for one in found.resources),
    }
    return shown | ({"StackId": found.stack} if found.stack else {})


@service.operation("GetGeneratedTemplate")
async def get_generated_template(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _get(ctx, tx, params)
    body = generating.render(found)
    if params.get("Format") == "YAML":
        return {"Status": found.status, "TemplateBody": yaml.safe_dump(body, sort_keys=False)}
    return {"Status": found.status, "TemplateBody": json.dumps(body, indent=2)}


@service.operation("ListGeneratedTemplates")
async def list_generated_templates(ctx: Context, tx: Transaction, params: Params) -> Result:
    def select(raw: bytes) -> dict[str, Any] | None:
        found = generated_record.decode(ctx.block.cloud.vault, ctx.account, raw)
        return {**_summarize(found), "NumberOfResources": len(found.resources)}

    space, token = generated_record.get_space(ctx.account, ctx.region), params.get("NextToken")
    limit = params.get("MaxResults") or _PAGE
    shown, following = await listing.list_page(tx, space, token, limit, select, errors.make_wrong_token())
    return {"Summaries": shown, "NextToken": following}
