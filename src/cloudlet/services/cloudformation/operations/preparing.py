"""Preparation of operations: template, parameters, transforms and capabilities are checked.

Nothing is made before all is right.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params
from cloudlet.core.aws import tags as tagging
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.cloudformation import errors
from cloudlet.services.cloudformation.compiling import CompiledTarget, compile_target, is_custom
from cloudlet.services.cloudformation.stack_record import Output, Stack, Target
from cloudlet.services.cloudformation.templates import language_extensions, parameters
from cloudlet.services.cloudformation.templates.functions import NOT_KNOWN, Scope, check_rules
from cloudlet.services.cloudformation.templates.parameters import Value
from cloudlet.services.cloudformation.templates.parsing import parse_template
from cloudlet.services.cloudformation.templates.template import Template, read_template

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
SERVERLESS: Final = "AWS::Serverless-2016-10-31"
_BUCKET_HOST: Final = re.compile(r"(?P<bucket>[a-z0-9.-]+)\.s3[.-].*")
MAX_TEMPLATE_BYTES: Final = 1_000_000
MAX_BODY_BYTES: Final = 51_200


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
        if len(body.encode()) > MAX_BODY_BYTES:
            raise errors.make_validation_error(
                "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: "
                f"Member must have length less than or equal to {MAX_BODY_BYTES}"
            )
        return str(body)
    return await _fetch(ctx, params["TemplateURL"])


async def _fetch(ctx: Context, url: str) -> str:
    """Return the template at an address in S3."""
    parts = urlsplit(url)
    host = _BUCKET_HOST.fullmatch(parts.hostname or "")
    path = unquote(parts.path.lstrip("/"))
    bucket, _, key = (host["bucket"], "", path) if host else path.partition("/")
    if parts.scheme not in ("http", "https", "s3") or not key:
        raise errors.make_validation_error("TemplateURL must be a supported URL.")
    if parts.scheme == "s3":
        bucket = parts.netloc
        key = path
    try:
        answer = await ctx.call_as_caller("s3", "GetObject", {"Bucket": bucket, "Key": key}) or {}
    except AwsError as error:
        raise errors.make_validation_error(f"S3 error: {error.message}") from None
    text = await read_body(answer["Body"])
    if len(text) > MAX_TEMPLATE_BYTES:
        raise errors.make_validation_error(f"Template may not exceed {MAX_TEMPLATE_BYTES} bytes in size.")
    return text.decode()


async def read_body(body: Any) -> bytes:
    """Return the whole of what S3 answers."""
    if isinstance(body, bytes):
        return body
    chunks = [chunk async for chunk in body]
    return b"".join(chunks)


async def prepare(ctx: Context, stack: Stack, params: Params, previous: Target | None) -> tuple[Target, CompiledTarget]:
    """Return the target that a request describes, and the same compiled. Raises AwsError."""
    text = await load_template(ctx, params, previous)
    raw = parse_template(text)
    given = _list_given(params, previous)
    declared = read_template(raw, is_processed=not raw.get("Transform"))
    parameters.check_declarations(declared)
    values = await _look_up(ctx, parameters.bind_parameters(declared, given))
    target = Target(
        uuid4(),
        text,
        "",
        values,
        tagging.read(params["Tags"]) if params.get("Tags") is not None else (previous.tags if previous else {}),
        list(params.get("Capabilities") or ()),
        list(params.get("NotificationARNs") or (previous.notification_arns if previous else ())),
        language_extensions.NAME in declared.transforms,
    )
    processed = await _transform(ctx, stack, declared, target)
    target = replace(target, processed=json.dumps(processed))
    compiled = compile_target(stack, target)
    # A change set shows what transforms make of the template, and needs no consent to it.
    _check_capabilities(declared, compiled, is_shown="ChangeSetName" in params)
    check_rules(compiled.template.rules, compiled.make_scope())
    evaluate(compiled)
    return target, compiled


def evaluate(compiled: CompiledTarget) -> list[Output]:
    """Evaluate all functions, as far as that goes before anything is made; return the outputs. Raises AwsError."""
    scope = compiled.make_scope(lambda name: NOT_KNOWN, lambda name, attribute: NOT_KNOWN)
    for name in compiled.resources:
        compiled.resolve_properties(name, scope)
    return compiled.resolve_outputs(scope)


def _list_given(params: Params, previous: Target | None) -> dict[str, str]:
    given = {}
    for one in params.get("Parameters") or ():
        name = one["ParameterKey"]
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


async def _transform(ctx: Context, stack: Stack, declared: Template, target: Target) -> dict[str, Any]:
    """Return the template after its transforms."""
    processed = declared.raw
    for transform in declared.transforms:
        if transform == language_extensions.NAME:
            scope = Scope(
                values={name: value.value for name, value in target.values.items()}
                | {"AWS::Region": stack.region, "AWS::AccountId": stack.account, "AWS::StackName": stack.name},
                mappings=declared.mappings,
                has_language_extensions=True,
            )
            processed = language_extensions.expand_loops(processed, scope.resolve)
        elif transform == SERVERLESS:
            # Imported late: AWS's translator takes seconds.
            from cloudlet.services.cloudformation.templates import serverless

            policies = await _list_aws_policies(ctx)
            processed = await serverless.translate(processed, target.values, stack.region, policies)
        else:
            raise errors.make_validation_error(f"No transform named {transform} found.")
    return {key: value for key, value in processed.items() if key != "Transform"}


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


def _check_capabilities(declared: Template, compiled: CompiledTarget, *, is_shown: bool = False) -> None:
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
    has_macros = any(name != language_extensions.NAME for name in declared.transforms)
    if has_macros and not is_shown and "CAPABILITY_AUTO_EXPAND" not in given:
        needed.append("CAPABILITY_AUTO_EXPAND")
    if needed:
        raise errors.make_missing_capabilities(needed)


def list_capabilities(compiled: CompiledTarget) -> list[str]:
    """Return the capabilities that a template requires."""
    try:
        _check_capabilities(compiled.template, compiled)
    except AwsError as error:
        return re.findall(r"CAPABILITY_\w+", error.message)
    return []


def list_custom_types(compiled: CompiledTarget) -> list[str]:
    return sorted({one["Type"] for one in compiled.resources.values() if is_custom(one["Type"])})
