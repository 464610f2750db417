"""What a function is configured with: the parameters of CreateFunction and UpdateFunctionConfiguration, checked.

Developer guide, "Lambda quotas", "Configure Lambda function memory" and the pages beside it.
"""

from __future__ import annotations

import json
from typing import Any

from msgspec.structs import replace

from cloudlet.core import Arn, Params
from cloudlet.core.authorization.role_session import check_role
from cloudlet.services.lambda_ import errors
from cloudlet.services.lambda_.code import runtimes
from cloudlet.services.lambda_.functions.function import DurableConfig, ImageConfig, Logging, Version

_MEMORY_MB = 10_240
_TIMEOUT_SECONDS = 900
_EPHEMERAL_MB = 10_240
_SNAP_START_EPHEMERAL_MB = 512
_ENVIRONMENT_BYTES = 4096
_RESERVED = frozenset(
    (
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    )
)
_DEAD_LETTER_SERVICES = ("sqs", "sns")
_SIMPLE = {
    "Runtime": "runtime",
    "Handler": "handler",
    "Role": "role",
    "Description": "description",
    "KMSKeyArn": "kms_key",
    "MemorySize": "memory",
    "Timeout": "timeout",
}
_OF_ZIP = ("Runtime", "Handler", "Layers")
_OF_IMAGES = ("ImageConfig",)
_UNBUILT = (
    "FileSystemConfigs",
    "CapacityProviderConfig",
    "TenancyConfig",
    "RuntimeConfig",
    "AcceleratorConfig",
    "PublishTo",
)


def refuse_unbuilt(params: Params) -> None:
    """Raise AwsError for what would have no effect."""
    for name in _UNBUILT:
        if params.get(name):
            raise errors.not_built(f"the parameter {name} of functions")
    if (params.get("VpcConfig") or {}).get("Ipv6AllowedForDualStack"):
        raise errors.not_built("IPv6 of functions in a VPC")


def check_required(params: Params) -> None:
    """Raise AwsError where a function of a ZIP file lacks what it needs to be created."""
    if params.get("PackageType") == "Image":
        return
    if not params.get("Runtime") or not params.get("Handler"):
        raise errors.invalid(
            "Runtime and Handler are mandatory parameters for functions created with deployment packages."
        )


def configured(version: Version, params: Params) -> Version:
    """Return a version with what is given of its configuration, but for layers. Raises AwsError."""
    _check_numbers(params)
    for name in _OF_ZIP if version.package_type == "Image" else _OF_IMAGES:
        if params.get(name):
            raise errors.invalid(
                f"The parameter {name} is not supported for functions with packageType {version.package_type}."
            )
    if params.get("Runtime"):
        runtimes.check(params["Runtime"])
    if params.get("Role"):
        check_role(version.place.account, params["Role"])
    changes: dict[str, Any] = {field: params[name] for name, field in _SIMPLE.items() if params.get(name) is not None}
    if params.get("Environment") is not None:
        changes["environment"] = _environment(params["Environment"].get("Variables") or {})
        changes["has_environment"] = True
    if params.get("ImageConfig") is not None:
        changes["image_config"] = _image_config(params["ImageConfig"])
    if params.get("EphemeralStorage") is not None:
        changes["ephemeral"] = params["EphemeralStorage"]["Size"]
    if params.get("TracingConfig") is not None:
        changes["tracing"] = params["TracingConfig"].get("Mode") or "PassThrough"
    if params.get("DeadLetterConfig") is not None:
        changes["dead_letter"] = _dead_letter(params["DeadLetterConfig"].get("TargetArn") or "")
    if params.get("LoggingConfig") is not None:
        changes["logging"] = _logging(version.logging, params["LoggingConfig"])
    if params.get("SnapStart") is not None:
        changes["snap_start"] = params["SnapStart"].get("ApplyOn") or "None"
    if params.get("DurableConfig") is not None:
        changes["durable"] = _check_durable(version, params["DurableConfig"])
    changed = replace(version, **changes)
    if changed.snap_start != "None":
        _check_snap_start(changed)
    return changed


def _check_durable(version: Version, given: Params) -> DurableConfig:
    """Return the durable configuration of a version.

    Raises AwsError for a function that was created without one.
    """
    if given.get("KMSKeyArn"):
        raise errors.not_built("KMS keys of durable executions")
    before = version.durable
    if before is None and version.revision:
        raise errors.invalid("DurableConfig can only be set when a function is created.")
    timeout = given.get("ExecutionTimeout") or (before.execution_timeout if before else None)
    if timeout is None:
        raise errors.invalid("ExecutionTimeout is required in DurableConfig.")
    days = given.get("RetentionPeriodInDays") or (before.retention_days if before else DurableConfig(1).retention_days)
    return DurableConfig(timeout, days)


def _check_snap_start(version: Version) -> None:
    """Raise AwsError where a function cannot have SnapStart: developer guide, "Supported features and limitations"."""
    if version.package_type != "Image" and not runtimes.has_snapshots(version.runtime):
        raise errors.invalid(f"{version.runtime} is not supported for SnapStart enabled functions.")
    if version.ephemeral > _SNAP_START_EPHEMERAL_MB:
        raise errors.invalid(
            f"SnapStart enabled functions do not support ephemeral storage of more than {_SNAP_START_EPHEMERAL_MB} MB."
        )


def _check_numbers(params: Params) -> None:
    ephemeral = (params.get("EphemeralStorage") or {}).get("Size")
    for value, member, limit in (
        (params.get("MemorySize"), "memorySize", _MEMORY_MB),
        (params.get("Timeout"), "timeout", _TIMEOUT_SECONDS),
        (ephemeral, "ephemeralStorage.size", _EPHEMERAL_MB),
    ):
        if value is not None and value > limit:
            raise errors.at_most(value, member, limit)


def _environment(variables: dict[str, str]) -> dict[str, str]:
    unable = "Lambda was unable to configure your environment variables because the environment variables you have "
    if reserved := [name for name in variables if name in _RESERVED]:
        raise errors.invalid(
            f"{unable}provided contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
    measured = json.dumps(variables, separators=(",", ":"), ensure_ascii=False)
    if len(measured.encode()) > _ENVIRONMENT_BYTES:
        # AWS says what it has measured, too: here that would be in CloudTrail's records.
        raise errors.invalid(f"{unable}provided exceeded the 4KB limit.")
    for value in variables.values():
        if "\0" in value:
            raise errors.invalid(f"{unable}provided contain a null character.")
    return variables


def _image_config(given: Params) -> ImageConfig:
    entry_point, command = given.get("EntryPoint"), given.get("Command")
    folder = given.get("WorkingDirectory") or ""
    if any("\0" in each for each in (*(entry_point or ()), *(command or ()), folder)):
        raise errors.invalid("ImageConfig contains a null character.")
    return ImageConfig(
        None if entry_point is None else tuple(entry_point), None if command is None else tuple(command), folder
    )


def _dead_letter(arn: str) -> str:
    if not arn:
        return ""
    try:
        parsed = Arn.parse(arn)
    except ValueError:
        parsed = None
    if parsed is None or parsed.service not in _DEAD_LETTER_SERVICES or parsed.resource.endswith(".fifo"):
        raise errors.invalid(
            f"The target {arn} is not supported as a dead-letter queue: it must be a standard Amazon SQS queue or a "
            "standard Amazon SNS topic."
        )
    return arn


def _logging(before: Logging, given: Params) -> Logging:
    format = given.get("LogFormat") or before.format
    levels = (given.get("ApplicationLogLevel"), given.get("SystemLogLevel"))
    if format == "Text":
        if any(levels):
            raise errors.invalid("ApplicationLogLevel and SystemLogLevel can only be set when LogFormat is JSON.")
        application, system = "", ""
    else:
        application = levels[0] or before.application_level or "INFO"
        system = levels[1] or before.system_level or "INFO"
    return Logging(format, application, system, given.get("LogGroup") or before.group)
