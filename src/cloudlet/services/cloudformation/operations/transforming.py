"""Transforms, carried out: first those of a template's parts, then those of the whole."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, Final

import yaml

from cloudlet.core import AwsError, Context
from cloudlet.services.cloudformation.macros import run_macro
from cloudlet.services.cloudformation.operations.s3_objects import load_object
from cloudlet.services.cloudformation.stack_record import Stack, Target
from cloudlet.services.cloudformation.templates import language_extensions, transforms
from cloudlet.services.cloudformation.templates.functions import Scope
from cloudlet.services.cloudformation.templates.parsing import check_values, parse_template
from cloudlet.services.cloudformation.templates.template import Template
from cloudlet.services.cloudformation.templates.transforms import Transform, TransformError

SERVERLESS: Final = "AWS::Serverless-2016-10-31"


async def apply_transforms(ctx: Context, stack: Stack, declared: Template, target: Target) -> dict[str, Any]:
    """Return a template after its transforms. Raises AwsError, and TransformError for one that fails."""
    processed = await transforms.expand(
        {key: value for key, value in declared.raw.items() if key != transforms.SECTION},
        partial(_apply_to_part, ctx, stack, declared, target),
    )
    for transform in declared.transforms:
        processed = await _apply(ctx, stack, declared, target, transform, processed)
        if not isinstance(processed, dict):
            raise TransformError(f"Received malformed response from transform {transform.name}")
    check_values(processed)
    if transforms.list_names(processed):
        raise TransformError("A processed template cannot have transforms of its own.")
    return {key: value for key, value in processed.items() if key != transforms.SECTION}


async def _apply_to_part(
    ctx: Context, stack: Stack, declared: Template, target: Target, transform: Transform, part: Any
) -> Any:
    if transform.name in (language_extensions.NAME, SERVERLESS):
        raise TransformError(f"The transform {transform.name} is for whole templates.")
    return await _apply(ctx, stack, declared, target, transform, part, is_whole=False)


async def _apply(
    ctx: Context,
    stack: Stack,
    declared: Template,
    target: Target,
    transform: Transform,
    part: Any,
    *,
    is_whole: bool = True,
) -> Any:
    scope = _make_scope(stack, declared, target)
    if transform.name == language_extensions.NAME:
        return await asyncio.to_thread(language_extensions.expand_loops, part, scope.resolve)
    if transform.name == transforms.INCLUDE:
        return await _include(ctx, scope.resolve(transform.parameters.get("Location")), part)
    if transform.name == SERVERLESS:
        # Imported late: AWS's translator takes seconds.
        from cloudlet.services.cloudformation.templates import serverless

        whole = {**part, transforms.SECTION: declared.raw[transforms.SECTION]}
        return await serverless.translate(whole, target.values, stack.region, await _list_aws_policies(ctx))
    if transform.name.startswith("AWS::"):
        raise TransformError(f"No transform named {transform.name} found.")
    # Functions get what a part's transform is given as it is written.
    given = scope.resolve(dict(transform.parameters)) if is_whole else transform.parameters
    values = {name: value.value for name, value in target.values.items()}
    return await run_macro(ctx, Transform(transform.name, given), part, values)


def _make_scope(stack: Stack, declared: Template, target: Target) -> Scope:
    return Scope(
        values={name: value.value for name, value in target.values.items()}
        | {"AWS::Region": stack.region, "AWS::AccountId": stack.account, "AWS::StackName": stack.name},
        mappings=declared.mappings,
        has_language_extensions=target.has_language_extensions,
    )


async def _include(ctx: Context, location: Any, part: Any) -> Any:
    """Return a part of a template with what a file in S3 has beside it. Raises AwsError."""
    if not isinstance(location, str) or not location.startswith("s3://"):
        raise TransformError(
            f"Transform {transforms.INCLUDE} failed with: The location parameter is not a valid S3 uri."
        )
    if not isinstance(part, dict):
        raise TransformError(f"Transform {transforms.INCLUDE} failed with: it has to stand in an object.")
    bucket, _, key = location.removeprefix("s3://").partition("/")
    try:
        text = await load_object(ctx, bucket, key)
        found = await asyncio.to_thread(parse_template, text, has_aliases=True)
    except AwsError as error:
        raise TransformError(f"Transform {transforms.INCLUDE} failed with: {error.message}") from None
    if not text.lstrip().startswith("{") and any(isinstance(token, yaml.TagToken) for token in yaml.scan(text)):
        raise TransformError(
            f"Transform {transforms.INCLUDE} failed with: short forms of functions are not supported in snippets."
        )
    if transforms.list_names(found):
        raise TransformError(f"Transform {transforms.INCLUDE} failed with: snippets cannot have transforms.")
    return {**part, **found}


async def _list_aws_policies(ctx: Context) -> dict[str, str]:
    """Return the ARNs of AWS's managed policies by their names."""
    found: dict[str, str] = {}
    params: dict[str, Any] = {"Scope": "AWS", "MaxItems": 1000}
    while True:
        answer = await ctx.call("iam", "ListPolicies", params) or {}
        found |= {policy["PolicyName"]: policy["Arn"] for policy in answer["Policies"]}
        if not answer.get("IsTruncated"):
            return found
        params["Marker"] = answer["Marker"]
