"""Table keys of encrypted tables, decrypted by KMS.

They are had as the caller, whose permissions count, and kept for that caller for five minutes.

Developer Guide, "DynamoDB encryption at rest: How it works" and "Usage notes".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Transaction
from cloudlet.core.aws.data_keys import make_key_id
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import make_principal
from cloudlet.core.kernel.ids import uuid4
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.core.kernel.prerequisite import Prerequisite
from cloudlet.core.kernel.vault import Vault
from cloudlet.services.dynamodb import errors
from cloudlet.services.dynamodb.item_data.sealed_transaction import SealedTransaction
from cloudlet.services.dynamodb.streaming.streams import StreamRecord
from cloudlet.services.dynamodb.tables import directory
from cloudlet.services.dynamodb.tables.sealing_record import Sealing
from cloudlet.services.dynamodb.tables.table import Table
from cloudlet.services.dynamodb.tables.table_record import TableRecord
from cloudlet.store.interface import Body
from cloudlet.store.recent import ABSENT, LruCache

T = TypeVar("T")
Owner = TableRecord | StreamRecord
_REUSE_SECONDS: Final = 300
_MAX_KEYS: Final = 4096
_DEFAULT_KEY: Final = "alias/aws/dynamodb"
_PLACE: Final = "dynamodb-table-key"
"""The place of table keys that the vault encrypts."""
_INACCESSIBLE: Final = frozenset(("DisabledException", "KMSInvalidStateException", "NotFoundException"))
"""The errors of KMS about a key that nobody can use."""


class _Keys:
    """The table keys that a block has in memory."""

    def __init__(self, _: Block) -> None:
        self.opened = LruCache(_MAX_KEYS)
        """Caller and encrypted table key → the vault of that key, and when it expires."""
        self.made = LruCache(_MAX_KEYS)
        """The id of a request → the sealing that it has asked for."""
        self.probed = LruCache(_MAX_KEYS)
        """An encrypted table key → the time at which its KMS key is tried again."""


_KEYS: Final = PerBlock(_Keys)


# -- using table keys


def unlock(ctx: Context, tx: Transaction, table: Table) -> Transaction:
    """Return the transaction through which a table's contents are read and written. Raises Prerequisite."""
    sealing = table.record.sealing
    if sealing is None:
        return tx
    return unlock_below(ctx, tx, sealing, table.record, table.sealed_prefixes)


def unlock_below(
    ctx: Context, tx: Transaction, sealing: Sealing, owner: Owner, prefixes: tuple[bytes, ...]
) -> Transaction:
    """Return the transaction through which what is below prefixes is read and written. Raises Prerequisite."""
    keys = _KEYS.get(ctx.block)
    kept = keys.opened.get((_identify(ctx), sealing.table_key))
    if kept is ABSENT or kept[1] <= ctx.now():
        raise Prerequisite(partial(_open, ctx, sealing, owner))
    return SealedTransaction(tx, prefixes, kept[0])


def unlock_for_block(block: Block, tx: Transaction, table: Table) -> Transaction:
    """Return the transaction through which jobs read and write a table's contents. Raises Prerequisite."""
    return tx if table.record.sealing is None else unlock(make_context(block, table.record), tx, table)


def make_context(block: Block, owner: Owner) -> Context:
    """Return the context of what DynamoDB does by itself for a table."""
    principal = make_principal("service", owner.account, "dynamodb.amazonaws.com", "dynamodb", "")
    endpoint = block.cloud.config.endpoint
    return Context(block, principal, owner.account, owner.region, uuid4(), endpoint, secure=True)


async def transact(block: Block, body: Body[T]) -> T:
    """Run a transaction that may need table keys. Raises AwsError where one cannot be had."""
    while True:
        try:
            return await block.store.transact(body)
        except Prerequisite as prerequisite:
            await prerequisite.fetch()


def observe(ctx: Context, table: Table) -> None:
    """See whether a table's KMS key is usable, which its description tells. Raises Prerequisite."""
    sealing, probed = table.record.sealing, _KEYS.get(ctx.block).probed
    if sealing is None or not sealing.kms_key:
        return
    until = probed.get(sealing.table_key)
    if until is ABSENT or until <= ctx.now():
        raise Prerequisite(partial(_probe, ctx.block, table.record, sealing))


async def _probe(block: Block, owner: Owner, sealing: Sealing) -> None:
    own = make_context(block, owner)
    # What comes of it is noted, and told by the description.
    with suppress(AwsError):
        await _open(own, sealing, owner)
    _KEYS.get(block).probed.add(sealing.table_key, own.now() + _REUSE_SECONDS)


async def _open(ctx: Context, sealing: Sealing, owner: Owner) -> None:
    """Have a table key decrypted, and note whether its KMS key is usable. Raises AwsError."""
    try:
        plain = await _decrypt(ctx, sealing, owner)
    except AwsError as error:
        if error.code in _INACCESSIBLE:
            await _note(ctx, owner, sealing, ctx.now())
        raise _make_denial(ctx, error) from error
    if sealing.inaccessible:
        await _note(ctx, owner, sealing, 0)
    kept = Vault(plain), ctx.now() + _REUSE_SECONDS
    _KEYS.get(ctx.block).opened.add((_identify(ctx), sealing.table_key), kept)


async def _note(ctx: Context, owner: Owner, sealing: Sealing, inaccessible: float) -> None:
    """Note since when a table's KMS key has not been usable."""

    async def body(tx: Transaction) -> None:
        table = await directory.by_id(tx, owner.id)
        current = None if table is None else table.record.sealing
        if table is None or current is None or current.table_key != sealing.table_key:
            return
        if bool(current.inaccessible) != bool(inaccessible):
            directory.store(tx, replace(table.record, sealing=replace(current, inaccessible=inaccessible)))

    await ctx.transact(body)


async def _decrypt(ctx: Context, sealing: Sealing, owner: Owner) -> bytes:
    if not sealing.kms_key:
        return ctx.block.cloud.vault.decrypt(sealing.table_key, _PLACE)
    context = _make_encryption_context(sealing.table, owner.account)
    params = {"CiphertextBlob": sealing.table_key, "KeyId": sealing.kms_key, "EncryptionContext": context}
    plain: bytes = (await _call(ctx, "Decrypt", params))["Plaintext"]
    return plain


# -- choosing a key


def choose(
    ctx: Context, given: Mapping[str, Any] | None, owner: TableRecord, current: Sealing | None = None
) -> Sealing | None:
    """Return how a table is to be encrypted by its SSESpecification. Raises AwsError, and Prerequisite."""
    wanted = _read(given)
    made = _KEYS.get(ctx.block).made
    sealing = made.get(ctx.request_id)
    if sealing is ABSENT:
        if wanted is not None:
            raise Prerequisite(partial(_make, ctx, partial(_seal, ctx, wanted, owner, current)))
        if current is None or not current.kms_key:
            return current
        raise Prerequisite(partial(_make, ctx, partial(_seal_by_own, ctx, owner, current)))
    found: Sealing = sealing
    return found


def _read(given: Mapping[str, Any] | None) -> str | None:
    """Return the KMS key that an SSESpecification names, None for the key that AWS owns. Raises AwsError."""
    if not given or not given.get("Enabled", False):
        if given and "KMSMasterKeyId" in given:
            raise errors.validation("KMSMasterKeyId cannot be specified when SSE is not enabled")
        return None
    if given.get("SSEType", "KMS") != "KMS":
        raise errors.validation(f"SSEType {given['SSEType']} is not supported")
    if "KMSMasterKeyId" in given and "SSEType" not in given:
        raise errors.invalid_values("SSEType KMS is required if KMSMasterKeyId is specified")
    key: str = given.get("KMSMasterKeyId", _DEFAULT_KEY)
    return key


async def _make(ctx: Context, seal: Callable[[], Awaitable[Sealing]]) -> None:
    """Make the sealing that a request asks for, and keep it until that runs again. Raises AwsError."""
    keys = _KEYS.get(ctx.block)
    try:
        sealing = await seal()
    except AwsError as error:
        if error.code == "AccessDeniedException":
            raise _make_denial(ctx, error) from error
        if error.code == "ValidationException":
            raise
        raise errors.validation(f"KMS validation error: {_quote(ctx, error, error.code)}") from error
    keys.made.add(ctx.request_id, sealing)


async def _seal_by_own(ctx: Context, owner: TableRecord, current: Sealing) -> Sealing:
    """Return a sealing under Cloudlet's own key."""
    plain = await _decrypt(ctx, current, owner)
    return replace(current, kms_key="", table_key=ctx.block.cloud.vault.encrypt(plain, _PLACE), inaccessible=0)


async def _seal(ctx: Context, wanted: str, owner: TableRecord, current: Sealing | None) -> Sealing:
    """Return a sealing under a key of KMS."""
    key_id = make_key_id(wanted, owner.account, owner.region)
    described = (await _call(ctx, "DescribeKey", {"KeyId": key_id}))["KeyMetadata"]
    arn = described["Arn"]
    if current is not None and current.kms_key == arn:
        raise errors.invalid_values("Table is already encrypted by given KMSMasterKeyId")
    context = _make_encryption_context(owner.name if current is None else current.table, owner.account)
    if current is None:
        params = {"KeyId": arn, "KeySpec": "AES_256", "EncryptionContext": context}
        answer = await _call(ctx, "GenerateDataKeyWithoutPlaintext", params)
        return Sealing(arn, answer["CiphertextBlob"], owner.name, id=uuid4())
    plain = await _decrypt(ctx, current, owner)
    answer = await _call(ctx, "Encrypt", {"KeyId": arn, "Plaintext": plain, "EncryptionContext": context})
    return replace(current, kms_key=arn, table_key=answer["CiphertextBlob"], inaccessible=0)


def describe(sealing: Sealing | None) -> dict[str, Any]:
    """Return the members of a TableDescription that are about encryption."""
    if sealing is None or not sealing.kms_key:
        return {}
    return {
        "SSEDescription": {
            "Status": "UPDATING" if sealing.is_partial else "ENABLED",
            "SSEType": "KMS",
            "KMSMasterKeyArn": sealing.kms_key,
            "InaccessibleEncryptionDateTime": sealing.inaccessible or None,
        }
    }


# -- KMS


def _make_encryption_context(table: str, account: str) -> dict[str, str]:
    return {"aws:dynamodb:tableName": table, "aws:dynamodb:subscriberId": account}


async def _call(ctx: Context, operation: str, params: dict[str, Any]) -> dict[str, Any]:
    is_own = ctx.principal.kind == "service" and ctx.principal.arn == "dynamodb.amazonaws.com"
    call: Callable[[str, str, dict[str, Any]], Awaitable[Any]] = ctx.call if is_own else ctx.call_as_caller
    return dict(await call("kms", operation, params) or {})


def _make_denial(ctx: Context, error: AwsError) -> AwsError:
    """Return the error for what needs a table key that KMS does not decrypt."""
    name = "AWSKMSException" if error.code == "AccessDeniedException" else error.code
    return AwsError("AccessDeniedException", f"KMS key access denied error: {_quote(ctx, error, name)}", status=400)


def _quote(ctx: Context, error: AwsError, name: str) -> str:
    return (
        f"com.amazonaws.services.kms.model.{name}: {error.message} (Service: AWSKMS; Status Code: 400; Error Code: "
        f"{error.code}; Request ID: {ctx.request_id}; Proxy: null)"
    )


def _identify(ctx: Context) -> tuple[str, str, str, str]:
    principal = ctx.principal
    return principal.kind, principal.account, principal.arn, principal.access_key
