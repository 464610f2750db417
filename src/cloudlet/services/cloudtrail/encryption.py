"""The KMS key under which S3 encrypts the files of a trail (SSE-KMS).

User guide, "Encrypting CloudTrail log files, digest files, and event data stores with AWS KMS keys" and "Configure AWS
KMS key policies for CloudTrail"; API reference, "CreateTrail".
"""

from __future__ import annotations

import base64
import re
from typing import Any, Final

import msgspec

from cloudlet.core import AwsError, Context
from cloudlet.core.kernel.block import Block
from cloudlet.services.cloudtrail.trail import Trail

_KEY: Final = re.compile(
    r"alias/.+|arn:aws[\w-]*:kms:[\w-]+:\d{12}:(?:key|alias)/.+|(?:mrk-[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
)
_NOT_THERE: Final = ("NotFoundException", "InvalidArnException")
_CONTEXT: Final = "aws:cloudtrail:arn"


async def find_key(ctx: Context, trail: Trail, wanted: str) -> str:
    """Return the ARN of a key that a trail may use. Raises AwsError.

    The key is given by its id, its alias or an ARN of these. CloudTrail asks KMS as itself for a key to encrypt by,
    which the key's policy must allow.
    """
    if _KEY.fullmatch(wanted) is None:
        raise AwsError("InvalidKmsKeyIdException", f"The KMS key ID is not valid: {wanted}")
    if not ctx.block.cloud.has("kms"):
        raise AwsError("KmsException", "There is no KMS here.")
    try:
        answer = await _call(ctx.block, trail, "DescribeKey", {"KeyId": wanted}) or {}
        metadata = answer["KeyMetadata"]
        if metadata["KeyState"] == "Disabled":
            raise AwsError("KmsException", f"The KMS key is disabled: {metadata['Arn']}")
        params = {"KeyId": metadata["Arn"], "KeySpec": "AES_256", "EncryptionContext": {_CONTEXT: trail.arn}}
        await _call(ctx.block, trail, "GenerateDataKeyWithoutPlaintext", params)
    except AwsError as error:
        raise _reword(error, trail, wanted) from error
    return str(metadata["Arn"])


def _reword(error: AwsError, trail: Trail, wanted: str) -> AwsError:
    """Return what CloudTrail says where KMS refuses something."""
    if error.code in _NOT_THERE:
        return AwsError("KmsKeyNotFoundException", f"The KMS key was not found: {wanted}")
    if error.code == "AccessDeniedException":
        return AwsError(
            "InsufficientEncryptionPolicyException",
            f"Insufficient permissions to access S3 bucket {trail.bucket} or KMS key {wanted}.",
        )
    if (error.status or 400) >= 500 or error.code == "KmsException":
        return error
    return AwsError("KmsException", error.message)


async def _call(block: Block, trail: Trail, operation: str, params: dict[str, Any]) -> Any:
    return await block.call("kms", operation, params, account=trail.account, region=trail.region, source_arn=trail.arn)


def list_parameters(trail: Trail) -> dict[str, str]:
    """Return the parameters with which S3 encrypts a trail's file. There are none without a key."""
    if not trail.kms_key:
        return {}
    context = base64.b64encode(msgspec.json.encode({_CONTEXT: trail.arn})).decode()
    return {
        "ServerSideEncryption": "aws:kms",
        "SSEKMSKeyId": trail.kms_key,
        "SSEKMSEncryptionContext": context,
    }
