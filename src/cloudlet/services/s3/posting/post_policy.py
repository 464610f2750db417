"""The policy of a form: what its author has signed, and whether what was filled in keeps to it.

S3 API reference, "Browser-Based Uploads Using POST (AWS Signature Version 4)".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cloudlet.core import AwsError, Context
from cloudlet.core.kernel.identity import Credential, Principal, root
from cloudlet.core.kernel.origins import is_possible_csrf
from cloudlet.core.kernel.system_clock import wall_time
from cloudlet.core.kernel.tokens import parse_account
from cloudlet.services.s3 import errors

_ALGORITHM = "AWS4-HMAC-SHA256"
_UNCOVERED = frozenset(
    ("awsaccesskeyid", "signature", "x-amz-signature", "policy", "file", "x-amz-security-token", "bucket")
)
"""Fields that no condition need speak of."""
_IGNORED = "x-ignore-"

Fields = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Range:
    """The sizes that the file may have."""

    least: int = 0
    most: int | None = None

    async def checked(self, file: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Read a file. Raises AwsError where it has another size."""
        size = 0
        async for piece in file:
            size += len(piece)
            if self.most is not None and size > self.most:
                raise AwsError(
                    "EntityTooLarge",
                    "Your proposed upload exceeds the maximum allowed size",
                    status=400,
                    ProposedSize=str(size),
                    MaxSizeAllowed=str(self.most),
                )
            yield piece
        if size < self.least:
            raise AwsError(
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
                status=400,
                ProposedSize=str(size),
                MinSizeAllowed=str(self.least),
            )


async def author(ctx: Context, fields: Fields) -> Principal:
    """Return who has signed a form: the caller himself where it has no policy. Raises AwsError."""
    if "policy" not in fields:
        _check_origin(ctx)
        return ctx.principal
    if "x-amz-algorithm" in fields:
        return await _verified_v4(ctx, fields)
    return await _verified_v2(ctx, fields)


def _field(fields: Fields, name: str, shown: str) -> str:
    value = fields.get(name)
    if not value:
        raise errors.invalid_argument(
            f"Bucket POST must contain a field named '{shown}'.  If it is specified, please check the order of the "
            "fields.",
            shown,
            "",
        )
    return value


async def _verified_v4(ctx: Context, fields: Fields) -> Principal:
    if fields["x-amz-algorithm"] != _ALGORITHM:
        raise errors.invalid_argument('X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"', "X-Amz-Algorithm", "")
    credential = _field(fields, "x-amz-credential", "X-Amz-Credential").split("/")
    signature = _field(fields, "x-amz-signature", "X-Amz-Signature")
    date = _field(fields, "x-amz-date", "X-Amz-Date")
    if len(credential) != 5 or credential[3:] != ["s3", "aws4_request"] or not date.startswith(credential[1]):
        raise errors.invalid_argument("The Credential is mal-formed", "X-Amz-Credential", fields["x-amz-credential"])
    known = await _key(ctx, credential[0], fields)
    if isinstance(known, Principal):
        return known
    key = f"AWS4{known.secret_key}".encode()
    for part in (*credential[1:4], "aws4_request", fields["policy"]):
        key = hmac.digest(key, part.encode(), hashlib.sha256)
    _compare(signature, key.hex())
    return known.principal


async def _verified_v2(ctx: Context, fields: Fields) -> Principal:
    """Version 2 is all that the older SDKs know for forms."""
    access_key = _field(fields, "awsaccesskeyid", "AWSAccessKeyId")
    signature = _field(fields, "signature", "Signature")
    known = await _key(ctx, access_key, fields)
    if isinstance(known, Principal):
        return known
    digest = hmac.digest(known.secret_key.encode(), fields["policy"].encode(), hashlib.sha1)
    _compare(signature, base64.b64encode(digest).decode())
    return known.principal


async def _key(ctx: Context, access_key: str, fields: Fields) -> Credential | Principal:
    """Return a key that is known; in open mode an unknown one is the root of its account."""
    token = fields.get("x-amz-security-token")
    cloud = ctx.block.cloud
    known = cloud.find_key(access_key, token) or (
        await cloud.permissions.load_key(access_key) if token is None else None
    )
    if known is None or not known.is_active:
        if not ctx.strict:
            _check_origin(ctx)
            return root(parse_account(access_key) or ctx.account, access_key)
        raise AwsError(
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
            status=403,
            AWSAccessKeyId=access_key,
        )
    if known.expires is not None and known.expires < ctx.now():
        raise AwsError("ExpiredToken", "The provided token has expired.", status=400)
    return known


def _check_origin(ctx: Context) -> None:
    """Raise AwsError where everybody is let in, for a page that is not this machine's: forms need nobody's leave."""
    if not ctx.strict and is_possible_csrf("POST", ctx.headers):
        raise AwsError(
            "AccessDenied",
            "In open mode Cloudlet takes forms of pages of this machine only (http://localhost:…), and those that are "
            "signed with a key that it knows.",
            status=403,
        )


def _compare(stated: str, expected: str) -> None:
    if not hmac.compare_digest(stated.encode(), expected.encode()):
        raise AwsError(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your key and signing "
            "method.",
            status=403,
        )


def check(ctx: Context, fields: Fields, bucket: str, key: str) -> Range:
    """Return the sizes that a form's policy allows, if its fields keep to the policy. Raises AwsError."""
    if "policy" not in fields:
        return Range()
    policy = _document(fields["policy"])
    # Whoever has signed it has gone by the system's clock, as for all signatures, and not by the cloud's.
    if _expiration(policy) <= wall_time():
        raise _broken("Policy expired.")
    values = {**fields, "bucket": bucket, "key": key}
    spoken_of = set(_UNCOVERED)
    sizes = Range()
    for condition in policy["conditions"]:
        kind, name, wanted = _condition(condition)
        if kind == "content-length-range":
            sizes = _range(name, wanted)
            continue
        spoken_of.add(name)
        value = values.get(name, "")
        if not (value == wanted if kind == "eq" else value.startswith(wanted)) or name not in values:
            raise _broken(f"Policy Condition failed: {json.dumps(_shown(condition))}")
    extra = [name for name in fields if name not in spoken_of and not name.startswith(_IGNORED)]
    if extra:
        raise _broken(f"Extra input fields: {', '.join(extra)}")
    return sizes


def _document(text: str) -> dict[str, Any]:
    try:
        policy = json.loads(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise _invalid("Invalid JSON.") from None
    if not isinstance(policy, dict):
        raise _invalid("Invalid JSON.")
    for name in policy:
        if name not in ("expiration", "conditions"):
            raise _invalid(f"Unexpected: '{name}'.")
    for name in ("expiration", "conditions"):
        if name not in policy:
            raise _invalid(f"Policy missing {name}.")
    if not isinstance(policy["conditions"], list):
        raise _invalid("Conditions must be a list.")
    return policy


def _expiration(policy: Mapping[str, Any]) -> float:
    text = policy["expiration"]
    for form in ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%fZ"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
        except (TypeError, ValueError):
            continue
    raise _invalid(f"Invalid 'expiration' value: '{text}'")


def _condition(condition: Any) -> tuple[str, Any, Any]:
    """Return a condition's kind, its field in lower case and its value; a size range has its two ends there."""
    if isinstance(condition, dict):
        if len(condition) != 1:
            raise _invalid("Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.")
        ((name, value),) = condition.items()
        if not isinstance(value, str):
            raise _invalid("Invalid Simple-Condition: value must be a string.")
        return "eq", name.lower(), value
    if not isinstance(condition, list) or len(condition) != 3 or not isinstance(condition[0], str):
        raise _invalid("Invalid Condition: wrong number of arguments.")
    kind, name, value = condition[0].lower(), condition[1], condition[2]
    if kind == "content-length-range":
        return kind, name, value
    if kind not in ("eq", "starts-with"):
        raise _invalid(f"Invalid Condition: unknown operation '{condition[0]}'.")
    if not isinstance(name, str) or not name.startswith("$") or not isinstance(value, str):
        raise _invalid("Invalid Condition: a field's name must start with '$', and its value must be a string.")
    return kind, name[1:].lower(), value


def _range(least: Any, most: Any) -> Range:
    try:
        sizes = Range(int(least), int(most))
    except (TypeError, ValueError, OverflowError):
        raise _invalid("Invalid content-length-range: not a number.") from None
    if sizes.least < 0 or (sizes.most or 0) < 0:
        raise _invalid("Invalid content-length-range: must not be negative.")
    return sizes


def _shown(condition: Any) -> Any:
    """Return a condition as the three parts that S3 shows."""
    if isinstance(condition, dict):
        ((name, value),) = condition.items()
        return ["eq", f"${name}", value]
    return condition


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidPolicyDocument", f"Invalid Policy: {message}", status=400)


def _broken(message: str) -> AwsError:
    return AwsError("AccessDenied", f"Invalid according to Policy: {message}", status=403)
