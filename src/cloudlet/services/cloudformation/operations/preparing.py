"""Preparation of operations: template, parameters, transforms and capabilities are checked.

Nothing is made before all is right.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Collection, Mapping
from typing import Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params
from cloudlet.core.aws import tags as tagging
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.cloudformation import errors
from cloudlet.services.cloudformation.compiling import CompiledTarget, compile_target, is_custom
from cloudlet.services.cloudformation.operations.s3_objects import load_from_url
from cloudlet.services.cloudformation.operations.transforming import apply_transforms
from cloudlet.services.cloudformation.stack_record import Output, Stack, Target
from cloudlet.services.cloudformation.templates import language_extensions, parameters, transforms
from cloudlet.services.cloudformation.templates.functions import NOT_KNOWN, check_rules
from cloudlet.services.cloudformation.templates.parameters import Value
from cloudlet.services.cloudformation.templates.parsing import parse_template
from cloudlet.services.cloudformation.templates.template import read_template
from cloudlet.services.cloudformation.templates.transforms import TransformError

_IAM_TYPES: Final = frozenset(
    f"AWS::IAM::{name}"
    for name in (
        "AccessKey",
        "Group",
        "GroupPolicy",
        "InstanceProfile",
        "ManagedPolicy",
        "Policy",
        "Role",
        "RolePolicy",
        "User",
        "UserPolicy",
        "UserToGroupAddition",
    )
)
_IAM_NAMES: Final = ("GroupName", "InstanceProfileName", "ManagedPolicyName", "RoleName", "UserName")
_NAMED: Final = frozenset(f"AWS::IAM::{name}" for name in ("Group", "InstanceProfile", "ManagedPolicy", "Role", "User"))
EXPANSION: Final = "CAPABILITY_AUTO_EXPAND"
MAX_BODY_BYTES: Final = 51_200


def prefer_body(params: Params) -> Params:
    """Return parameters without the URL of a template, where the template itself is there, too."""
    return {**params, "TemplateURL": None} if params.get("TemplateBody") else params


async def load_template(ctx: Context, params: Params, previous: Target | None) -> str:
    """Return the text of the template that a request names. Raises AwsError."""
    given = [name for name in ("TemplateBody", "TemplateURL", "UsePreviousTemplate") if params.get(name)]
    if len(given) != 1:
        raise errors.make_validation_error("Either Template URL or Template Body must be specified.")
    if params.get("UsePreviousTemplate"):
        if previous is None:
            raise errors.make_validation_error("Cannot use previous template: there is none.")
        return previous.template
    if body := params.get("TemplateBody"):
        # A stack set's template, for one, may have come from a bucket.
        if len(body.encode()) > MAX_BODY_BYTES and ctx.protocol != "none":
            raise errors.make_validation_error(
                "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: "
                f"Member must have length less than or equal to {MAX_BODY_BYTES}"
            )
        return str(body)
    return await load_from_url(ctx, params["TemplateURL"], "TemplateURL")


async def prepare(
    ctx: Context, stack: Stack, params: Params, previous: Target | None, *, has_review: bool = False
) -> tuple[Target, CompiledTarget]:
    """Return the target that a request describes, and the same compiled. Raises AwsError.

    One whose transforms fail has that failure, and no resources. `has_review` tells that the result of transforms can
    be reviewed before anything is done, so that no capability is needed for them.
    """
    text = await load_template(ctx, params, previous)
    raw = await asyncio.to_thread(parse_template, text)
    given = _list_given(params, previous)
    names = transforms.list_names(raw)
    declared = read_template(raw, is_processed=not names)
    if not has_review:
        check_expansion(names, params.get("Capabilities") or ())
    parameters.check_declarations(declared)
    tags = tagging.read(params["Tags"]) if params.get("Tags") is not None else (previous.tags if previous else {})
    if reserved := next(filter(tagging.is_system_key, tags), None):
        raise errors.make_validation_error(f"Tag key {reserved} must not begin with aws:, which is reserved.")
    values = await _look_up(ctx, await asyncio.to_thread(parameters.bind_parameters, declared, given))
    target = Target(
        uuid4(),
        text,
        "",
        values,
        tags,
        list(params.get("Capabilities") or ()),
        _list_topics(params, previous),
        language_extensions.NAME in names,
    )
    try:
        processed = await apply_transforms(ctx, stack, declared, target)
    except TransformError as error:
        failed = replace(target, failure=error.message)
        return failed, CompiledTarget(failed, declared, {}, {}, {}, [])
    target = replace(target, processed=json.dumps(processed))
    compiled = compile_target(stack, target)
    check_capabilities(compiled)
    check_rules(compiled.template.rules, compiled.make_scope())
    evaluate(compiled)
    return target, compiled


def evaluate(compiled: CompiledTarget) -> list[Output]:
    """Evaluate all functions, as far as that goes before anything is made; return the outputs. Raises AwsError."""

    def find_attribute(name: str, attribute: str) -> str:
        compiled.check_attribute(name, attribute)
        return NOT_KNOWN

    scope = compiled.make_scope(lambda name: NOT_KNOWN, find_attribute)
    for name in compiled.resources:
        compiled.resolve_properties(name, scope)
    return compiled.resolve_outputs(scope)


def _list_topics(params: Params, previous: Target | None) -> list[str]:
    """Return the topics to notify: an empty list in the request leaves none."""
    given = params.get("NotificationARNs")
    return list(given) if given is not None else list(previous.notification_arns if previous else ())


def _list_given(params: Params, previous: Target | None) -> dict[str, str]:
    given = {}
    for one in params.get("Parameters") or ():
        name = one.get("ParameterKey")
        if name is None:
            raise errors.make_validation_error("Every parameter must have a ParameterKey.")
        if one.get("UsePreviousValue"):
            if previous is None or name not in previous.values:
                raise errors.make_validation_error(
                    f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as true for a parameter "
                    "key not in the previous template"
                )
            given[name] = previous.values[name].given
        elif one.get("ParameterValue") is not None:
            given[name] = one["ParameterValue"]
    return given


async def _look_up(ctx: Context, values: Mapping[str, Value]) -> dict[str, Value]:
    """Return values with those of SSM parameters."""
    found: dict[str, str] = {}
    missing = []
    for name, parameter in parameters.list_ssm_names(values).items():
        try:
            answer = await ctx.call_as_caller("ssm", "GetParameter", {"Name": parameter}) or {}
        except AwsError as error:
            if error.code != "ParameterNotFound":
                raise errors.make_validation_error(error.message) from None
            missing.append(parameter)
        else:
            if answer["Parameter"]["Type"] == "SecureString":
                raise errors.make_validation_error(
                    f"Parameters [{parameter}] referenced by template have types not supported by CloudFormation."
                )
            found[name] = answer["Parameter"]["Value"]
    if missing:
        raise errors.make_validation_error(
            f"Unable to fetch parameters [{','.join(missing)}] from parameter store for this account."
        )
    return parameters.add_ssm_values(values, found.__getitem__)


def check_expansion(names: Collection[str], capabilities: Collection[str]) -> None:
    """Raise AwsError where transforms need a capability that is not given."""
    if needs_expansion(names) and EXPANSION not in capabilities:
        raise errors.make_missing_capabilities([EXPANSION])


def needs_expansion(names: Collection[str]) -> bool:
    """Whether transforms may add what nobody has seen."""
    return any(name != language_extensions.NAME for name in names)


def check_capabilities(compiled: CompiledTarget) -> None:
    """Raise AwsError where a template needs capabilities that are not given."""
    given = set(compiled.target.capabilities)
    kinds = {resource["Type"] for resource in compiled.resources.values()}
    needed = []
    is_named = any(
        resource["Type"] in _NAMED and any(name in resource.get("Properties", {}) for name in _IAM_NAMES)
        for resource in compiled.resources.values()
    )
    if is_named and "CAPABILITY_NAMED_IAM" not in given:
        needed.append("CAPABILITY_NAMED_IAM")
    elif kinds & _IAM_TYPES and not given & {"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"}:
        needed.append("CAPABILITY_IAM")
    if needed:
        raise errors.make_missing_capabilities(needed)


def list_capabilities(compiled: CompiledTarget) -> list[str]:
    """Return the capabilities that a template requires."""
    try:
        check_capabilities(compiled)
    except AwsError as error:
        return re.findall(r"CAPABILITY_\w+", error.message)
    return []


def list_custom_types(compiled: CompiledTarget) -> list[str]:
    return sorted({one["Type"] for one in compiled.resources.values() if is_custom(one["Type"])})
