"""Functions as the API shows them: FunctionConfiguration."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cloudlet.services.lambda_.functions.environments import EncryptedEnvironment
from cloudlet.services.lambda_.functions.function import DurableConfig, Version

_NOT_LISTED = (
    "RuntimeVersionConfig",
    "State",
    "StateReason",
    "StateReasonCode",
    "LastUpdateStatus",
    "LastUpdateStatusReason",
    "LastUpdateStatusReasonCode",
)


def moment(seconds: float) -> str:
    """Return a time as Lambda writes it."""
    return (
        datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(seconds * 1000) % 1000:03d}+0000"
    )


def configuration(version: Version, *, arn: str | None = None) -> dict[str, Any]:
    """Return a version's FunctionConfiguration; `arn` is that by which it was asked for, where it is not its own."""
    package = version.package
    shown: dict[str, Any] = {
        "FunctionName": version.place.name,
        "FunctionArn": arn or version.arn,
        "Runtime": version.runtime or None,
        "Role": version.role,
        "Handler": version.handler or None,
        "CodeSize": package.size,
        "Description": version.description,
        "Timeout": version.timeout,
        "MemorySize": version.memory,
        "LastModified": moment(version.modified),
        "CodeSha256": package.sha256,
        "Version": version.version,
        "Environment": _make_environment(version),
        "KMSKeyArn": version.kms_key or None,
        "DeadLetterConfig": {"TargetArn": version.dead_letter} if version.dead_letter else None,
        "TracingConfig": {"Mode": version.tracing},
        "RevisionId": version.revision_id,
        "Layers": [{"Arn": layer.arn, "CodeSize": layer.package.size} for layer in version.layers] or None,
        "PackageType": version.package_type,
        "Architectures": [version.architecture],
        "EphemeralStorage": {"Size": version.ephemeral},
        "SnapStart": _snap_start(version),
        "LoggingConfig": _logging(version),
        "VpcConfig": _make_vpc(version),
        "ImageConfigResponse": _image_config(version),
        "DurableConfig": show_durable(version.durable),
        "RuntimeVersionConfig": {"RuntimeVersionArn": version.runtime_version_arn} if version.runtime else None,
        "State": version.state,
        "StateReason": version.state_reason or None,
        "StateReasonCode": version.state_reason_code or None,
        "LastUpdateStatus": version.last_update or None,
        "LastUpdateStatusReason": version.last_update_reason or None,
        "LastUpdateStatusReasonCode": version.last_update_reason_code or None,
    }
    return {name: value for name, value in shown.items() if value is not None}


def _make_environment(version: Version) -> object:
    """Return the Environment of a configuration; one that is encrypted is to be revealed."""
    if isinstance(version.environment, bytes):
        return EncryptedEnvironment(version.place, version.environment)
    return {"Variables": version.environment} if version.environment or version.has_environment else None


def listed(version: Version, *, arn: str | None = None) -> dict[str, Any]:
    """Return what lists show of a version: not its state, nor that of its runtime (API reference, "ListFunctions")."""
    shown = configuration(version, arn=arn)
    return {name: value for name, value in shown.items() if name not in _NOT_LISTED}


def _snap_start(version: Version) -> dict[str, str]:
    return {"ApplyOn": version.snap_start, "OptimizationStatus": "On" if version.starts_from_snapshot else "Off"}


def _make_vpc(version: Version) -> dict[str, Any] | None:
    vpc = version.vpc
    if vpc is None:
        return None
    return {
        "VpcId": vpc.id,
        "SubnetIds": list(vpc.subnets),
        "SecurityGroupIds": list(vpc.groups),
        "Ipv6AllowedForDualStack": False,
    }


def show_durable(config: DurableConfig | None) -> dict[str, int] | None:
    """Return a DurableConfig of the API."""
    if config is None:
        return None
    return {"ExecutionTimeout": config.execution_timeout, "RetentionPeriodInDays": config.retention_days}


def _image_config(version: Version) -> dict[str, Any] | None:
    config = version.image_config
    shown = {
        "EntryPoint": None if config.entry_point is None else list(config.entry_point),
        "Command": None if config.command is None else list(config.command),
        "WorkingDirectory": config.working_directory or None,
    }
    said = {name: value for name, value in shown.items() if value is not None}
    return {"ImageConfig": said} if said else None


def _logging(version: Version) -> dict[str, str]:
    logging = version.logging
    shown = {
        "LogFormat": logging.format,
        "ApplicationLogLevel": logging.application_level,
        "SystemLogLevel": logging.system_level,
        "LogGroup": version.log_group,
    }
    return {name: value for name, value in shown.items() if value}
