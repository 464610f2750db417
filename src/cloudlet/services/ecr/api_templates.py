"""The operations on repository creation templates."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, FinalTransaction, Params, Result, Transaction
from cloudlet.core.aws import listing, tags
from cloudlet.services.ecr import access, creating, errors, lifecycle_policy, mutability, templates
from cloudlet.services.ecr.block import service
from cloudlet.services.ecr.template_record import Template

_MAX_LISTED_TEMPLATES: Final = 100


@service.direct("CreateRepositoryCreationTemplate")
async def create_repository_creation_template(ctx: Context, params: Params) -> FinalTransaction:
    now = ctx.now()
    name = templates.clean_prefix(params["prefix"])
    kept, exclusions = mutability.parse(params)
    encryption, key = await creating.resolve_key(ctx, params.get("encryptionConfiguration"))
    template = Template(
        ctx.account,
        ctx.region,
        name,
        now,
        now,
        tuple(params["appliedFor"]),
        params.get("description") or "",
        encryption,
        key,
        tags.merge({}, params.get("resourceTags"), errors.InvalidParameter),
        kept,
        exclusions,
        params.get("repositoryPolicy") or "",
        params.get("lifecyclePolicy") or "",
        params.get("customRoleArn") or "",
    )
    _check(template)

    async def body(tx: Transaction) -> Result:
        if await templates.find(tx, ctx.account, ctx.region, name) is not None:
            message = f"The repository creation template '{name}' already exists"
            raise AwsError("TemplateAlreadyExistsException", message)
        templates.save(tx, template)
        return {"registryId": ctx.account, "repositoryCreationTemplate": templates.to_api(template)}

    return FinalTransaction(body)


def _check(template: Template) -> None:
    """Raise AwsError where a template's policies are none."""
    if template.policy:
        access.parse(template.policy)
    if template.lifecycle:
        lifecycle_policy.parse(template.lifecycle)


@service.direct("UpdateRepositoryCreationTemplate")
async def update_repository_creation_template(ctx: Context, params: Params) -> FinalTransaction:
    name = templates.clean_prefix(params["prefix"])
    changes: dict[str, object] = {}
    for member, field in (
        ("description", "description"),
        ("repositoryPolicy", "policy"),
        ("lifecyclePolicy", "lifecycle"),
        ("customRoleArn", "role"),
    ):
        if params.get(member) is not None:
            changes[field] = params[member]
    if params.get("appliedFor") is not None:
        changes["applied_for"] = tuple(params["appliedFor"])
    if params.get("resourceTags") is not None:
        changes["tags"] = tags.merge({}, params["resourceTags"], errors.InvalidParameter)
    if params.get("imageTagMutability") is not None:
        changes["mutability"], changes["exclusions"] = mutability.parse(params)
    if params.get("encryptionConfiguration") is not None:
        changes["encryption"], changes["kms_key"] = await creating.resolve_key(ctx, params["encryptionConfiguration"])

    async def body(tx: Transaction) -> Result:
        before = await templates.get(tx, ctx.account, ctx.region, name)
        after = replace(before, **changes, updated=ctx.now())
        _check(after)
        templates.save(tx, after)
        return {"registryId": ctx.account, "repositoryCreationTemplate": templates.to_api(after)}

    return FinalTransaction(body)


@service.operation("DescribeRepositoryCreationTemplates")
async def describe_repository_creation_templates(ctx: Context, tx: Transaction, params: Params) -> Result:
    asked = {templates.clean_prefix(each) for each in params.get("prefixes") or ()}

    def select(raw: bytes) -> Template | None:
        template = templates.decode(raw)
        return template if not asked or template.name in asked else None

    found, token = await listing.list_page(
        tx,
        templates.get_space(ctx.account, ctx.region),
        params.get("nextToken"),
        params.get("maxResults") or _MAX_LISTED_TEMPLATES,
        select,
        errors.InvalidNextToken(),
    )
    return {
        "registryId": ctx.account,
        "repositoryCreationTemplates": [templates.to_api(each) for each in found],
        "nextToken": token,
    }


@service.operation("DeleteRepositoryCreationTemplate")
async def delete_repository_creation_template(ctx: Context, tx: Transaction, params: Params) -> Result:
    template = await templates.get(tx, ctx.account, ctx.region, templates.clean_prefix(params["prefix"]))
    templates.remove(tx, template)
    return {"registryId": ctx.account, "repositoryCreationTemplate": templates.to_api(template)}
