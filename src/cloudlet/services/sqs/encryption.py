"""Encryption of messages' bodies by a key of KMS, for queues with a KmsMasterKeyId.

Developer Guide, "Encryption at rest in Amazon SQS": the body is encrypted, and neither attributes nor metadata. Data
keys are had before the transaction that needs them (`Prerequisite`).
"""

from __future__ import annotations

from typing import Final

from cloudlet.core import AwsError, Context
from cloudlet.core.aws.data_keys import DataKeys, Use
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.services.sqs.contents import Received
from cloudlet.services.sqs.messages import Message

_DEFAULT_REUSE_SECONDS: Final = 300
_CODES: Final = {
    "AccessDeniedException": "KmsAccessDenied",
    "DisabledException": "KmsDisabled",
    "InvalidArnException": "KmsNotFound",
    "InvalidKeyUsageException": "KmsInvalidKeyUsage",
    "KMSInvalidStateException": "KmsInvalidState",
    "NotFoundException": "KmsNotFound",
    "ThrottlingException": "KmsThrottled",
}


def _translate(error: AwsError) -> AwsError:
    """Return an error of KMS as SQS has it."""
    code = _CODES.get(error.code)
    return error if code is None else AwsError(code, error.message)


_KEYS: Final = PerBlock(lambda _: DataKeys(_translate))


def seal(ctx: Context, use: Use, message: Message) -> None:
    """Encrypt the body of a message that is sent. Raises Prerequisite."""
    message.envelope = _KEYS.get(ctx.block).seal(ctx, use, message.body)
    message.body = ""


def open_bodies(ctx: Context, use: Use | None, received: list[Received]) -> None:
    """Decrypt the bodies of messages that are received. Raises Prerequisite."""
    sealed = [message for _, message, _ in received if message.envelope is not None]
    if not sealed:
        return
    seconds = _DEFAULT_REUSE_SECONDS if use is None else use.reuse_seconds
    envelopes = [message.envelope for message in sealed if message.envelope is not None]
    for message, body in zip(sealed, _KEYS.get(ctx.block).open(ctx, envelopes, seconds), strict=True):
        message.body = body
