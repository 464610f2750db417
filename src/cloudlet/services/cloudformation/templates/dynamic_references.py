"""Dynamic references in values: `{{resolve:ssm:name:version}}` and its like (user guide, "Dynamic references")."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

from cloudlet.core import AwsError
from cloudlet.services.cloudformation import errors

_REFERENCE: Final = re.compile(r"\{\{resolve:(ssm|ssm-secure|secretsmanager):([^{}]+)\}\}")
Call = Callable[[str, str, dict[str, Any]], Awaitable[dict[str, Any]]]
"""Calls an operation of a service."""


def has_references(value: Any) -> bool:
    """Whether a value has a dynamic reference somewhere."""
    if isinstance(value, dict):
        return any(map(has_references, value.values()))
    if isinstance(value, list):
        return any(map(has_references, value))
    return isinstance(value, str) and "{{resolve:" in value


async def resolve_references(value: Any, call: Call) -> Any:
    """Return a value with what its dynamic references refer to. Raises AwsError."""
    if isinstance(value, dict):
        return {key: await resolve_references(item, call) for key, item in value.items()}
    if isinstance(value, list):
        return [await resolve_references(item, call) for item in value]
    if not isinstance(value, str) or "{{resolve:" not in value:
        return value
    parts: list[str] = []
    end = 0
    for match in _REFERENCE.finditer(value):
        parts += [value[end : match.start()], await _look_up(match[1], match[2], call)]
        end = match.end()
    return "".join([*parts, value[end:]])


async def _look_up(service: str, reference: str, call: Call) -> str:
    if service == "secretsmanager":
        return await _look_up_secret(reference, call)
    try:
        answer = await call("ssm", "GetParameter", {"Name": reference, "WithDecryption": service == "ssm-secure"})
    except AwsError as error:
        if error.code != "ParameterNotFound":
            raise
        raise errors.make_validation_error(f"Parameters: [{service}:{reference}] cannot be found.") from None
    value: str = answer["Parameter"]["Value"]
    return value


async def _look_up_secret(reference: str, call: Call) -> str:
    # arn:aws:secretsmanager:region:account:secret:name has colons of its own.
    count = 7 if reference.startswith("arn:") else 1
    parts = reference.split(":")
    secret, rest = ":".join(parts[:count]), [*parts[count:], "", "", "", ""]
    kind, key, stage, version = rest[:4]
    params: dict[str, Any] = {"SecretId": secret}
    if stage:
        params["VersionStage"] = stage
    if version:
        params["VersionId"] = version
    answer = await call("secretsmanager", "GetSecretValue", params)
    text: str = answer.get("SecretString") or ""
    if kind not in ("", "SecretString"):
        raise errors.make_validation_error(f"Secrets Manager references have SecretString, not {kind}")
    if not key:
        return text
    try:
        value = json.loads(text)[key]
    except (ValueError, KeyError, TypeError):
        raise errors.make_validation_error(
            f"Could not find a value associated with JSONKey in SecretString ({key})"
        ) from None
    return value if isinstance(value, str) else json.dumps(value)
