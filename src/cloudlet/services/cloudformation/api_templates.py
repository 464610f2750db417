"""The operations that look at templates."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.cloudformation import change_sets, errors, stacks
from cloudlet.services.cloudformation.block import service
from cloudlet.services.cloudformation.compiling import CompiledTarget, compile_target, get_schema, is_known_type
from cloudlet.services.cloudformation.operations import preparing
from cloudlet.services.cloudformation.operations.importing import can_import
from cloudlet.services.cloudformation.operations.transforming import SERVERLESS
from cloudlet.services.cloudformation.stack_record import Stack, Target
from cloudlet.services.cloudformation.stack_sets import stack_set_store
from cloudlet.services.cloudformation.templates import parameters, transforms
from cloudlet.services.cloudformation.templates.parsing import parse_template
from cloudlet.services.cloudformation.templates.template import Template, list_types, read_template

_STAGES = ["Original", "Processed"]


@service.operation("GetTemplate")
async def get_template(ctx: Context, tx: Transaction, params: Params) -> Result:
    if params.get("ChangeSetName"):
        found = await change_sets.get(ctx, tx, params["ChangeSetName"], params.get("StackName"))
        stack = await stacks.get(ctx, tx, found.stack_arn)
        target = await stacks.find_target(tx, ctx.block.cloud.vault, stack, found.target)
    elif params.get("StackName"):
        stack = await stacks.get(ctx, tx, params["StackName"], errors.make_id_not_found)
        target = await stacks.find_target(tx, ctx.block.cloud.vault, stack, stack.target or stack.operation.target)
    else:
        raise errors.make_validation_error("Either StackName or ChangeSetName must be specified")
    if target is None:
        # A stack that a change set has made, and that was not executed.
        return {"StagesAvailable": []}
    stages = _STAGES[:1] if target.failure else _STAGES
    if params.get("TemplateStage") != "Processed":
        return {"TemplateBody": target.template, "StagesAvailable": stages}
    if target.failure:
        raise errors.make_validation_error(f"Template for stage Processed does not exist. Stages available: {stages}")
    return {"TemplateBody": target.processed, "StagesAvailable": stages}


async def _read(ctx: Context, params: Params) -> Template:
    """Return the template that a request gives. Raises AwsError."""
    return await _read_text(await preparing.load_template(ctx, params, None))


async def _read_text(text: str) -> Template:
    raw = await asyncio.to_thread(parse_template, text)
    template = read_template(raw, is_processed=not transforms.list_names(raw))
    parameters.check_declarations(template)
    return template


def _compile(ctx: Context, template: Template) -> CompiledTarget | None:
    """Return a template compiled with default parameters; None where that does not go."""
    defaults = {name: str(one.get("Default", "")) for name, one in template.parameters.items()}
    values = {name: parameters.Value(value) for name, value in defaults.items()}
    raw = {key: value for key, value in template.raw.items() if key != transforms.SECTION}
    target = Target("", "", json.dumps(raw), values, has_language_extensions=True)
    try:
        return compile_target(Stack(ctx.account, ctx.region, "", "stack", "", 0.0), target)
    except AwsError:
        return None


def _describe_capabilities(compiled: CompiledTarget | None, template: Template) -> dict[str, Any]:
    needed = [] if compiled is None else preparing.list_capabilities(compiled)
    shown: dict[str, Any] = {}
    names = list(dict.fromkeys(transforms.list_names(template.raw)))
    if preparing.needs_expansion(names):
        needed.append(preparing.EXPANSION)
    if needed:
        kinds = [kind for kind in list_types(template) if kind.startswith("AWS::IAM::")]
        shown["Capabilities"] = needed
        shown["CapabilitiesReason"] = f"The following resource(s) require capabilities: [{', '.join(kinds)}]"
    if names:
        shown["DeclaredTransforms"] = names
    return shown


@service.direct("ValidateTemplate")
async def validate_template(ctx: Context, params: Params) -> Result:
    template = await _read(ctx, preparing.prefer_body(params))
    declared = []
    for name, one in template.parameters.items():
        shown = parameters.describe_declaration(name, one)
        declared.append(
            {key: shown[key] for key in ("ParameterKey", "DefaultValue", "NoEcho", "Description") if key in shown}
        )
    if not transforms.list_names(template.raw):
        compile_target(
            Stack(ctx.account, ctx.region, "", "stack", "", 0.0),
            Target("", "", json.dumps(template.raw), _make_default_values(template)),
        )
    return {
        "Parameters": declared,
        "Description": template.description,
        **_describe_capabilities(_compile(ctx, template), template),
    }


def _make_default_values(template: Template) -> dict[str, parameters.Value]:
    """Return values for parameters, so that conditions can be decided."""
    bound = {}
    for name, one in template.parameters.items():
        text = str(one.get("Default", next(iter(one.get("AllowedValues", ())), "")))
        is_list = one["Type"].startswith("List<") or one["Type"] == "CommaDelimitedList"
        bound[name] = parameters.Value(text, is_list=is_list)
    return bound


def _list_unknown_types(template: Template) -> list[str]:
    """Return the resource types that there are not; transforms have types of their own."""
    is_serverless = SERVERLESS in transforms.list_names(template.raw)
    return [
        kind
        for kind in list_types(template)
        if not is_known_type(kind) and not (is_serverless and kind.startswith("AWS::Serverless::"))
    ]


def _describe_identifiers(template: Template) -> list[dict[str, Any]]:
    """Return how resources of the types that can be imported are identified."""
    names: dict[str, list[str]] = {}
    for name, resource in template.resources.items():
        kind = resource.get("Type") if isinstance(resource, dict) else None
        if isinstance(kind, str) and can_import(kind):
            names.setdefault(kind, []).append(name)
    return [
        {
            "ResourceType": kind,
            "LogicalResourceIds": sorted(names[kind]),
            "ResourceIdentifiers": [",".join(get_schema(kind).identifier)],
        }
        for kind in sorted(names)
    ]


@service.direct("GetTemplateSummary")
async def get_template_summary(ctx: Context, params: Params) -> Result:
    if set_name := params.get("StackSetName"):
        stack_set = await ctx.transact(lambda tx: stack_set_store.get_live_set(ctx, tx, set_name))
        template = await _read_text(stack_set.template)
    elif name := params.get("StackName"):

        async def load(tx: Transaction) -> tuple[Stack, Target | None]:
            stack = await stacks.get(ctx, tx, name, errors.make_id_not_found)
            return stack, await stacks.find_target(
                tx, ctx.block.cloud.vault, stack, stack.target or stack.operation.target
            )

        _, target = await ctx.transact(load)
        template = read_template(parse_template(target.template if target else "{}"), is_processed=False)
    else:
        template = await _read(ctx, params)
    unknown = _list_unknown_types(template)
    config = params.get("TemplateSummaryConfig") or {}
    if unknown and not config.get("TreatUnrecognizedResourceTypesAsWarnings"):
        raise errors.make_format_error(f"Unrecognized resource types: [{', '.join(unknown)}]")
    compiled = _compile(ctx, template)
    shown: dict[str, Any] = {
        "Parameters": [parameters.describe_declaration(name, one) for name, one in template.parameters.items()],
        "ResourceTypes": list_types(template),
        "Version": template.raw.get("AWSTemplateFormatVersion", "2010-09-09"),
        **_describe_capabilities(compiled, template),
    }
    if identifiers := _describe_identifiers(template):
        shown["ResourceIdentifierSummaries"] = identifiers
    if unknown:
        shown["Warnings"] = {"UnrecognizedResourceTypes": unknown}
    if template.description:
        shown["Description"] = template.description
    if template.metadata:
        shown["Metadata"] = json.dumps(template.metadata)
    return shown
