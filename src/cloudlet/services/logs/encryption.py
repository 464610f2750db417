"""Events at rest, encrypted by data keys of KMS.

User guide, "Encrypt log data in CloudWatch Logs using AWS Key Management Service". A log group gets a data key whenever
a key is associated with it. KMS opens it, as long as the key's policy lets CloudWatch Logs; what it says is kept in
memory for five minutes.
"""

from __future__ import annotations

from functools import partial
from typing import Final

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cloudlet.core import Arn, AwsError, Subspace, Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.core.kernel.prerequisite import Prerequisite
from cloudlet.services.logs import errors
from cloudlet.services.logs.group_record import Group
from cloudlet.services.logs.row_record import Row, SealedRow, StoredRow
from cloudlet.store.recent import ABSENT, LruCache

_KEYS: Final = Subspace("data-key")
"""Number of a group, number of its data key → DataKey."""
_KEPT_SECONDS: Final = 300
_MAX_KEPT_KEYS: Final = 1000
_NONCE_BYTES: Final = 12
_encode_messages = msgspec.msgpack.Encoder().encode
_decode_messages = msgspec.msgpack.Decoder(list[str]).decode


class DataKey(msgspec.Struct, array_like=True, frozen=True):
    """A data key as it is stored: encrypted under a key of KMS."""

    group: str
    """The ARN of the log group."""
    kms_key: str
    blob: bytes


class OpenKey:
    """A data key that can be used."""

    def __init__(self, number: int, secret: bytes, expires: float) -> None:
        self._number = number
        self._cipher = AESGCM(secret)
        self.expires = expires

    def seal(self, row: Row) -> SealedRow:
        """Return a row with its messages encrypted."""
        nonce = random_bytes(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, _encode_messages(row.messages), None)
        return SealedRow(row.ingested, row.timestamps, sealed, self._number, row.size)

    def open(self, row: SealedRow) -> Row:
        """Return a row with its messages decrypted."""
        messages = self._cipher.decrypt(row.sealed[:_NONCE_BYTES], row.sealed[_NONCE_BYTES:], None)
        return Row(row.ingested, row.timestamps, _decode_messages(messages))


_OPEN: PerBlock[LruCache] = PerBlock(lambda _: LruCache(_MAX_KEPT_KEYS))
"""Of a block, its open keys by the numbers of group and key."""


async def make_data_key(block: Block, group: str, kms_key: str) -> DataKey:
    """Return a new data key for a log group's ARN, under a KMS key. Raises AwsError."""
    refused = errors.invalid(
        f"The specified KMS key does not exist or is not allowed to be used with LogGroup '{group}'"
    )
    if not kms_key.startswith("arn:"):
        raise errors.invalid("The specified KMS Key Id is not an ARN.")
    if not block.cloud.has("kms"):
        raise refused
    try:
        made = await _call_kms(block, "GenerateDataKey", group, KeyId=kms_key, KeySpec="AES_256")
        key = DataKey(group, kms_key, made["CiphertextBlob"])
        await _decrypt(block, key)
    except AwsError as error:
        if (error.status or 400) >= 500:
            raise
        raise refused from error
    return key


def put(tx: Transaction, group: Group, key: DataKey) -> None:
    """Have new events of a group encrypted by a data key. The caller saves the group then."""
    group.kms_key, group.data_key = key.kms_key, group.data_key + 1
    tx.put(_KEYS.key(group.id, group.data_key), msgspec.msgpack.encode(key))


def remove_all(tx: Transaction, group: int) -> None:
    """Forget the data keys of a group that is removed."""
    space = _KEYS.sub(group)
    tx.delete_range(space.begin, space.end)


def get_key(block: Block, group: Group) -> OpenKey | None:
    """Return the key of new events of a group, if there is one.

    Raises Prerequisite where KMS is to be asked first.
    """
    if not group.kms_key:
        return None
    found = _find(block, group.id, group.data_key)
    if found is None:
        raise Prerequisite(partial(_load, block, group.id, group.data_key))
    return found


async def open_row(block: Block, group: int, row: StoredRow) -> Row:
    """Return a row of a group as it was put. Raises AwsError where KMS does not let CloudWatch Logs decrypt it."""
    if isinstance(row, Row):
        return row
    found = _find(block, group, row.data_key)
    if found is None:
        await _load(block, group, row.data_key)
        found = _find(block, group, row.data_key)
    if found is None:
        raise RuntimeError("a data key is gone that was opened a moment ago")
    return found.open(row)


def _find(block: Block, group: int, number: int) -> OpenKey | None:
    found = _OPEN.get(block).get((group, number))
    return None if found is ABSENT or found.expires < block.clock.now() else found


async def _load(block: Block, group: int, number: int) -> None:
    """Have KMS open a data key. Raises AwsError."""
    raw = await block.store.transact(lambda tx: tx.get(_KEYS.key(group, number)))
    if raw is None:
        raise errors.no_group()
    key = msgspec.msgpack.decode(raw, type=DataKey)
    try:
        secret = await _decrypt(block, key)
    except AwsError as error:
        if (error.status or 400) >= 500:
            raise
        message = f"CloudWatch Logs cannot use the KMS key {key.kms_key}: {error.message}"
        raise AwsError("AccessDeniedException", message) from error
    _OPEN.get(block).add((group, number), OpenKey(number, secret, block.clock.now() + _KEPT_SECONDS))


async def _decrypt(block: Block, key: DataKey) -> bytes:
    answer = await _call_kms(block, "Decrypt", key.group, KeyId=key.kms_key, CiphertextBlob=key.blob)
    return bytes(answer["Plaintext"])


async def _call_kms(block: Block, operation: str, group: str, **params: str | bytes) -> dict[str, bytes]:
    """Call KMS as CloudWatch Logs, for the log group of an ARN."""
    arn = Arn.parse(group)
    context = {"EncryptionContext": {"aws:logs:arn": group}}
    answer = await block.call(
        "kms", operation, {**params, **context}, account=arn.account, region=arn.region, source_arn=group
    )
    return dict(answer or {})
