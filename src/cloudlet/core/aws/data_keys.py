"""Envelope encryption: texts at rest, encrypted by data keys of KMS.

Data keys are reused for a while. One is had from KMS as the caller, whose permissions count, and kept for that caller
alone, in memory. SQS Developer Guide, "Understanding the data key reuse period".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from cloudlet.core.aws.arn import partition_of
from cloudlet.core.kernel.errors import AwsError
from cloudlet.core.kernel.prerequisite import Prerequisite
from cloudlet.core.kernel.vault import Vault

if TYPE_CHECKING:
    from cloudlet.core.kernel.context import Context

_MAX_KEYS: Final = 2048
"""Data keys for encryption, and as many for decryption."""
_SPEC: Final = "AES_256"

Caller = tuple[str, str, str, str]


class Use(NamedTuple):
    """A purpose of data keys."""

    key_id: str
    """The ARN of a KMS key, or of an alias."""
    context: tuple[str, str]
    """The encryption context: a name, and the ARN of what is encrypted."""
    reuse_seconds: float


class Envelope(msgspec.Struct, array_like=True, frozen=True):
    """An encrypted text, with what is needed to decrypt it but the KMS key."""

    key: bytes
    """The data key, encrypted by KMS."""
    context: tuple[str, str]
    text: bytes


class _DataKey(NamedTuple):
    encrypted: bytes
    vault: Vault
    expires: float


class DataKeys:
    """The data keys of one block."""

    def __init__(self, translate: Callable[[AwsError], AwsError]) -> None:
        """`translate` makes an error of KMS one of the block's own."""
        self._translate = translate
        self._sealing: dict[tuple[Caller, str, tuple[str, str]], _DataKey] = {}
        self._opening: dict[tuple[Caller, bytes], _DataKey] = {}

    def seal(self, ctx: Context, use: Use, text: str) -> Envelope:
        """Encrypt a text. Raises Prerequisite where a data key is to be had first."""
        kept = self._sealing.get((_identify(ctx), use.key_id, use.context))
        if kept is None or kept.expires <= ctx.now():
            raise Prerequisite(lambda: self.generate(ctx, use))
        return Envelope(kept.encrypted, use.context, kept.vault.encrypt(text.encode(), use.context[1]))

    def open(self, ctx: Context, envelopes: Iterable[Envelope], reuse_seconds: float) -> list[str]:
        """Decrypt texts. Raises Prerequisite where data keys are to be decrypted first."""
        caller, now = _identify(ctx), ctx.now()
        texts, missing = [], {}
        for envelope in envelopes:
            kept = self._opening.get((caller, envelope.key))
            if kept is None or kept.expires <= now:
                missing[envelope.key] = envelope
            else:
                texts.append(kept.vault.decrypt(envelope.text, envelope.context[1]).decode())
        if missing:
            raise Prerequisite(lambda: self.decrypt(ctx, missing.values(), reuse_seconds))
        return texts

    async def generate(self, ctx: Context, use: Use) -> None:
        """Have a data key made, and see that the caller may use it again. Raises AwsError."""
        context = {use.context[0]: use.context[1]}
        params = {"KeyId": use.key_id, "KeySpec": _SPEC, "EncryptionContext": context}
        answer = await self._call(ctx, "GenerateDataKey", params)
        envelope = Envelope(answer["CiphertextBlob"], use.context, b"")
        await self.decrypt(ctx, [envelope], use.reuse_seconds)
        made = self._opening[_identify(ctx), envelope.key]
        _keep(self._sealing, (_identify(ctx), use.key_id, use.context), made)

    async def decrypt(self, ctx: Context, envelopes: Iterable[Envelope], reuse_seconds: float) -> None:
        """Have the data keys of texts decrypted. Raises AwsError."""
        for envelope in envelopes:
            context = {envelope.context[0]: envelope.context[1]}
            params = {"CiphertextBlob": envelope.key, "EncryptionContext": context}
            answer = await self._call(ctx, "Decrypt", params)
            made = _DataKey(envelope.key, Vault(answer["Plaintext"]), ctx.now() + reuse_seconds)
            _keep(self._opening, (_identify(ctx), envelope.key), made)

    async def _call(self, ctx: Context, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        # A block decrypts by itself what it is to bring to others.
        is_own = ctx.principal.kind == "service" and ctx.principal.arn == f"{ctx.block.service.name}.amazonaws.com"
        call = ctx.call if is_own else ctx.call_as_caller
        try:
            return dict(await call("kms", operation, params) or {})
        except AwsError as error:
            raise self._translate(error) from error


def make_key_id(text: str, account: str, region: str) -> str:
    """Return the ARN of the key or alias that a text names in an account."""
    if text.startswith("arn:"):
        return text
    resource = text if text.startswith("alias/") else f"key/{text}"
    return f"arn:{partition_of(region)}:kms:{region}:{account}:{resource}"


def _identify(ctx: Context) -> Caller:
    principal = ctx.principal
    return principal.kind, principal.account, principal.arn, principal.access_key


def _keep(keys: dict[Any, _DataKey], name: Any, made: _DataKey) -> None:
    """Keep a data key, and drop the oldest of too many."""
    keys.pop(name, None)
    if len(keys) >= _MAX_KEYS:
        del keys[next(iter(keys))]
    keys[name] = made
