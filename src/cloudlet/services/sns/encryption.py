"""Encryption of what topics with a KmsMasterKeyId keep, by a key of KMS.

Developer guide, "Securing Amazon SNS data with server-side encryption": the bodies of a message are encrypted, and
neither subject, attributes nor metadata. Publishers need permissions for the key; SNS itself decrypts what it delivers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec
from msgspec.structs import replace

from cloudlet.core import AwsError, Context
from cloudlet.core.aws.data_keys import DataKeys, Use, make_key_id
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import make_principal
from cloudlet.core.kernel.ids import uuid4
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.core.kernel.prerequisite import Prerequisite
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.topic_record import Topic

T = TypeVar("T")
_REUSE_SECONDS: Final = 300
_CODES: Final = {
    "AccessDeniedException": "KMSAccessDenied",
    "DisabledException": "KMSDisabled",
    "InvalidArnException": "KMSNotFound",
    "KMSInvalidStateException": "KMSInvalidState",
    "NotFoundException": "KMSNotFound",
    "ThrottlingException": "KMSThrottling",
}
_decode: Final = msgspec.json.Decoder(dict[str, str]).decode


def _translate(error: AwsError) -> AwsError:
    """Return an error of KMS as SNS has it."""
    code = _CODES.get(error.code)
    return error if code is None else AwsError(code, error.message)


_KEYS: Final = PerBlock(lambda _: DataKeys(_translate))


async def seal(ctx: Context, topic: Topic, messages: list[Message]) -> list[Message]:
    """Return messages that are published, encrypted too where the topic asks for it. Raises AwsError."""
    key = topic.attributes.get("KmsMasterKeyId")
    if not key:
        return messages
    use = Use(make_key_id(key, topic.account, topic.region), ("aws:sns:topicArn", topic.arn), _REUSE_SECONDS)
    keys = _KEYS.get(ctx.block)

    def seal_all() -> list[Message]:
        texts = [msgspec.json.encode(each.bodies).decode() for each in messages]
        sealed = [keys.seal(ctx, use, text) for text in texts]
        return [replace(each, envelope=envelope) for each, envelope in zip(messages, sealed, strict=True)]

    return await _run_with_keys(seal_all)


async def open_bodies(block: Block, topic: Topic, messages: list[Message]) -> list[Message]:
    """Return stored messages with their bodies in the clear. Raises AwsError."""
    sealed = [each.envelope for each in messages if each.envelope is not None]
    if not sealed:
        return messages
    sns = make_principal("service", topic.account, "sns.amazonaws.com", "sns", "")
    ctx = Context(block, sns, topic.account, topic.region, uuid4(), block.cloud.config.endpoint, secure=True)
    texts = iter(await _run_with_keys(lambda: _KEYS.get(block).open(ctx, sealed, _REUSE_SECONDS)))
    return [each if each.envelope is None else replace(each, bodies=_decode(next(texts))) for each in messages]


async def _run_with_keys(make: Callable[[], T]) -> T:
    """Make something by data keys, which are had from KMS first."""
    try:
        return make()
    except Prerequisite as prerequisite:
        await prerequisite.fetch()
    return make()
