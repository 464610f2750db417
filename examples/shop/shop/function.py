"""The shop's functions on AWS Lambda: how they are packed, created, and opened to who calls them."""

from __future__ import annotations

import io
import sys
import time
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

NAMES = ("thumbnails", "checkout", "history", "tickets", "connections", "progress")

_ROOT = Path(__file__).parents[1]
_TIMEOUT_SECONDS = 10
_MEMORY_MEGABYTES = 256
_ROLE_SECONDS = 30
_TRIES = 3
_PATIENCE = {"Delay": 0.2, "MaxAttempts": 300}


def name(function: str) -> str:
    return f"shop-{function}"


def create(functions: Any, roles: Mapping[str, str], variables: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Create the functions, or renew them where they are there already; return the ARN of each.

    `roles` are the ARNs of their roles; `variables` those of their environments, where they need any.
    """
    package = _pack()
    arns = {each: _create(functions, each, package, roles[each], variables.get(each, {})) for each in NAMES}
    for each in NAMES:
        _wait(functions, "function_active_v2", each)
    return arns


def _create(functions: Any, function: str, package: bytes, as_role: str, environment: Mapping[str, str]) -> str:
    settings = {
        "FunctionName": name(function),
        "Runtime": f"python3.{sys.version_info.minor}",
        "Role": as_role,
        "Handler": f"functions.{function}.handler",
        "Timeout": _TIMEOUT_SECONDS,
        "MemorySize": _MEMORY_MEGABYTES,
        "TracingConfig": {"Mode": "Active"},
        "Environment": {"Variables": environment},
    }
    try:
        created = _create_once_role_is_known(functions, **settings, Code={"ZipFile": package})
    except functions.exceptions.ResourceConflictException:
        functions.update_function_code(FunctionName=name(function), ZipFile=package)
        _wait(functions, "function_updated_v2", function)
        created = functions.update_function_configuration(**settings)
        _wait(functions, "function_updated_v2", function)
    return str(created["FunctionArn"])


def _create_once_role_is_known(functions: Any, **settings: Any) -> Any:
    """Create a function; Lambda learns of a new role some seconds after IAM has made it."""
    end = time.monotonic() + _ROLE_SECONDS
    while True:
        try:
            return functions.create_function(**settings)
        except functions.exceptions.InvalidParameterValueException as error:
            if "role" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(1)


def _wait(functions: Any, state: str, function: str) -> None:
    functions.get_waiter(state).wait(FunctionName=name(function), WaiterConfig=_PATIENCE)


def _pack() -> bytes:
    """Return a ZIP file of the functions and of what they share with the services. boto3 is with Lambda already."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for folder in ("functions", "shop"):
            for path in sorted((_ROOT / folder).glob("*.py")):
                file.write(path, path.relative_to(_ROOT))
    return packed.getvalue()


def admit(functions: Any, function_arn: str, service: str, source_arn: str) -> None:
    """Let an AWS service call a function, on behalf of one bucket or API."""
    with suppress(functions.exceptions.ResourceConflictException):
        functions.add_permission(
            FunctionName=function_arn,
            StatementId=f"by-{service.partition('.')[0]}",
            Action="lambda:InvokeFunction",
            Principal=service,
            SourceArn=source_arn,
        )


def read_stream(functions: Any, function_arn: str, stream_arn: str) -> None:
    """Have a function called with what becomes of a table, from the beginning of its stream."""
    found = functions.list_event_source_mappings(FunctionName=function_arn, EventSourceArn=stream_arn)
    if not found["EventSourceMappings"]:
        functions.create_event_source_mapping(
            FunctionName=function_arn,
            EventSourceArn=stream_arn,
            StartingPosition="TRIM_HORIZON",
            # What cannot be told does not hold up what comes after it.
            MaximumRetryAttempts=_TRIES,
        )


def delete(functions: Any, logs: Any) -> None:
    """Delete all functions, what calls them, and what they have logged."""
    for function in NAMES:
        with suppress(functions.exceptions.ResourceNotFoundException):
            found = functions.list_event_source_mappings(FunctionName=name(function))["EventSourceMappings"]
            for mapping in found:
                functions.delete_event_source_mapping(UUID=mapping["UUID"])
            functions.delete_function(FunctionName=name(function))
        with suppress(logs.exceptions.ResourceNotFoundException):
            logs.delete_log_group(logGroupName=f"/aws/lambda/{name(function)}")
