"""The environment of containers: variables, files of them in S3, and secrets.

Developer guide, "Pass an individual environment variable", "Pass environment variables" (files) and "Pass sensitive
data". Overrides come over what the definition says, and that over its files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from cloudlet.core import AwsError
from cloudlet.core.aws.arn import Arn
from cloudlet.services.ecs.running import roles
from cloudlet.services.ecs.running.described import find_override
from cloudlet.services.ecs.running.failures import InitializationFailure
from cloudlet.services.ecs.task_record import Task
from cloudlet.wire.bodies import pieces_of

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_UNABLE: Final = "unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve"
_RETRIED: Final = "service call has been retried 1 time(s)"
_MAX_FILE_BYTES: Final = 1 << 20


async def load_environment(block: Block, task: Task, described: dict[str, Any]) -> dict[str, str]:
    """Return the variables of a container. Raises TaskFailure."""
    override = find_override(task, described["name"])
    files = override.get("environmentFiles") or described.get("environmentFiles") or ()
    found: dict[str, str] = {}
    for each in files:
        found |= await _load_file(block, task, each["value"])
    found |= _read(described.get("environment"))
    found |= _read(override.get("environment"))
    for each in described.get("secrets") or ():
        found[each["name"]] = await _load_secret(block, task, each["valueFrom"])
    return found


def _read(given: list[dict[str, str]] | None) -> dict[str, str]:
    return {each["name"]: each.get("value") or "" for each in given or () if each.get("name")}


async def _load_file(block: Block, task: Task, arn: str) -> dict[str, str]:
    """Return the variables of a file in S3. Lines have NAME=VALUE, or begin with #."""
    bucket, _, key = Arn.parse(arn).resource.partition("/")
    try:
        answer = await roles.call(block, task, "s3", "GetObject", {"Bucket": bucket, "Key": key})
        content = b"".join([piece async for piece in pieces_of(answer["Body"])])
    except AwsError as error:
        text = f"failed to download env files: file download command: non empty error stream: {error.code}"
        raise InitializationFailure(f"{text}: {error.message}") from None
    if len(content) > _MAX_FILE_BYTES:
        raise InitializationFailure(f"failed to download env files: {arn} is too large")
    lines = (line.strip() for line in content.decode(errors="replace").splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value for name, sign, value in pairs if sign}


async def _load_secret(block: Block, task: Task, source: str) -> str:
    """Return the secret that a container's variable gets."""
    if ":secretsmanager:" in source:
        return await _load_from_secrets_manager(block, task, source)
    name, region = source, task.region
    if source.startswith("arn:"):
        arn = Arn.parse(source)
        name, region = arn.resource.removeprefix("parameter"), arn.region
        name = name if name.count("/") > 1 else name.removeprefix("/")
    try:
        params = {"Names": [name], "WithDecryption": True}
        answer = await roles.call(block, task, "ssm", "GetParameters", params, region=region)
    except AwsError as error:
        text = f"{_UNABLE} secrets from ssm: {_RETRIED}: {error.code}: {error.message}"
        raise InitializationFailure(text) from None
    if not answer["Parameters"]:
        raise InitializationFailure(f"{_UNABLE} secrets from ssm: {_RETRIED}: invalid parameters: {name}")
    return str(answer["Parameters"][0]["Value"])


async def _load_from_secrets_manager(block: Block, task: Task, source: str) -> str:
    arn = Arn.parse(source)
    # secret:NAME, and then perhaps a key of what is JSON, a stage and a version.
    words = arn.resource.split(":")
    secret = source if len(words) <= 2 else source.removesuffix(":" + ":".join(words[2:]))
    key, stage, version = [*words[2:5], "", "", ""][:3]
    params = {"SecretId": secret}
    if stage:
        params["VersionStage"] = stage
    if version:
        params["VersionId"] = version
    failed = f"{_UNABLE} secret from asm: {_RETRIED}"
    try:
        answer = await roles.call(block, task, "secretsmanager", "GetSecretValue", params, region=arn.region)
    except AwsError as error:
        text = f"failed to fetch secret {secret} from secrets manager: {error.code}: {error.message}"
        raise InitializationFailure(f"{failed}: {text}") from None
    value = answer.get("SecretString")
    if value is None:
        value = (answer.get("SecretBinary") or b"").decode(errors="replace")
    if not key:
        return str(value)
    try:
        found = msgspec.json.decode(value, type=dict[str, Any])
    except ValueError:
        raise InitializationFailure(f"{failed}: invalid character in the secret {secret}: it is no JSON") from None
    if key not in found:
        raise InitializationFailure(f"{failed}: retrieved secret from Secrets Manager did not contain json key {key}")
    said = found[key]
    return said if isinstance(said, str) else msgspec.json.encode(said).decode()
