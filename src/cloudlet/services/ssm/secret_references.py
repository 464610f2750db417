"""Secrets of Secrets Manager, which are read by names of parameters.

User guide, "Referencing AWS Secrets Manager secrets from Parameter Store parameters".
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from typing import Any, Final

from cloudlet.core import AwsError, Context
from cloudlet.services.ssm import access
from cloudlet.services.ssm.errors import ParameterNotFound, ValidationError
from cloudlet.services.ssm.names import SECRETS, Reference

_SELECTOR: Final = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)
_VERSION_ID_CHARACTERS: Final = range(32, 65)
_ABSENT: Final = frozenset(("ResourceNotFoundException", "InvalidRequestException", "InvalidParameterException"))


async def read(ctx: Context, action: str, name: str, *, decrypts: bool) -> dict[str, Any]:
    """Return a secret as a parameter, which the caller must be allowed to read. Raises AwsError."""
    if not decrypts:
        raise ValidationError("WithDecryption flag must be True for retrieving a Secret Manager secret.")
    name, colon, selector = name.partition(":")
    if colon and not _SELECTOR.fullmatch(selector):
        raise ValidationError(f"Invalid version stage: {selector}. It has letters, numbers, and the symbols .-_ only.")
    access.authorize(ctx, action, Reference(ctx.account, ctx.region, name), None)
    params = {"SecretId": name.removeprefix(SECRETS)}
    if selector:
        # Ids of versions are that long, labels of stages hardly ever.
        is_id = len(selector) in _VERSION_ID_CHARACTERS
        params["VersionId" if is_id else "VersionStage"] = selector
    try:
        secret: Any = await ctx.call_as_caller("secretsmanager", "GetSecretValue", params)
    except AwsError as error:
        if error.code not in _ABSENT:
            raise
        message = f"An error occurred ({error.code}) when referencing Secrets Manager: {error.message}"
        raise ParameterNotFound(message) from error
    shown = {
        "Name": name,
        "Type": "SecureString",
        "Value": secret["SecretString"] if secret.get("SecretString") is not None else _encode(secret["SecretBinary"]),
        "Version": 0,
        "SourceResult": json.dumps({key: _encode_blob(value) for key, value in secret.items() if value is not None}),
        "LastModifiedDate": secret["CreatedDate"],
        "ARN": secret["ARN"],
        "DataType": "text",
    }
    if selector:
        shown["Selector"] = f":{selector}"
    return shown


def _encode_blob(value: Any) -> Any:
    return _encode(value) if isinstance(value, bytes) else value


def _encode(value: bytes) -> str:
    return b64encode(value).decode()
