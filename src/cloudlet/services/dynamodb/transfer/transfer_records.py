"""Where the records of exports, and those of imports, are kept."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

from cloudlet.core import Arn, Subspace, Transaction
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.kernel.identity import Kind, Principal
from cloudlet.core.kernel.session_details import SessionDetails
from cloudlet.services.dynamodb.errors import limit_exceeded
from cloudlet.services.dynamodb.requests.rows import list_records

IN_PROGRESS, COMPLETED, FAILED = "IN_PROGRESS", "COMPLETED", "FAILED"


class TableGone(Exception):
    """The table of an export or an import does not exist any more."""


class TakenOver(Exception):
    """Another process has gone on with an export or an import."""


class Caller(msgspec.Struct, array_like=True, frozen=True):
    """The principal that has asked for a transfer: calls of S3 are made for it."""

    kind: Kind
    account: str
    arn: str
    user_id: str
    access_key: str
    session: SessionDetails | None

    @classmethod
    def from_principal(cls, caller: Principal) -> Caller:
        return cls(caller.kind, caller.account, caller.arn, caller.user_id, caller.access_key, caller.session)

    def to_principal(self) -> Principal:
        """Return the principal as the one for whom DynamoDB calls."""
        caller = Principal(self.kind, self.account, self.arn, self.user_id, self.access_key, session=self.session)
        return caller.called_by("dynamodb.amazonaws.com")


class Transfer(msgspec.Struct, array_like=True, frozen=True):
    """What an export and an import have in common. Times are in seconds since the epoch."""

    account: str
    region: str
    table: str
    table_id: int
    table_uuid: str
    id: str
    started: float

    @property
    def table_arn(self) -> str:
        return str(Arn(partition_of(self.region), "dynamodb", self.region, self.account, f"table/{self.table}"))


_COUNTED = b"\x01"
T = TypeVar("T", bound=Transfer)
_encode = msgspec.msgpack.Encoder(order="deterministic").encode


class _Token(msgspec.Struct, array_like=True, frozen=True):
    """What a client token was used for."""

    transfer: bytes
    request: bytes
    used: float


_decode_token = msgspec.msgpack.Decoder(_Token).decode


class TransferRecords(Generic[T]):
    """The records of one kind of transfer."""

    def __init__(self, kind: str, record: type[T], most: int) -> None:
        """An account has `most` in progress."""
        self.kind = kind
        self._most = most
        self._records = Subspace(kind)
        self._tokens = Subspace(f"{kind}-token")
        self._running = Subspace(f"{kind}ing")
        self._count = Subspace(f"{kind}ing-count")
        self._decode = msgspec.msgpack.Decoder(record).decode

    def key(self, account: str, region: str, table: str, id: str) -> bytes:
        """Return the key of a record; they are listed by table and id."""
        return self._records.key(account, region, table, id)

    def key_of(self, transfer: T) -> bytes:
        return self.key(transfer.account, transfer.region, transfer.table, transfer.id)

    def account_of(self, key: bytes) -> str:
        """Return the account of a record, by its key."""
        account: str = self._records.unpack(key)[0]
        return account

    async def start(self, tx: Transaction, transfer: T) -> None:
        """Write the record of a new transfer, which the job does. Raises AwsError where there are too many."""
        count = self._count.key(transfer.account)
        if await tx.counter(count) >= self._most:
            raise limit_exceeded(f"Too many {self.kind}s are in progress in the account {transfer.account}")
        tx.add(count, 1)
        self.store(tx, transfer)
        # Those in progress that an older Cloudlet has begun are not counted.
        tx.put(self._running.key(self.key_of(transfer)), _COUNTED)

    def store(self, tx: Transaction, transfer: T) -> None:
        """Write a record."""
        tx.put(self.key_of(transfer), _encode(transfer))

    async def end(self, tx: Transaction, transfer: T) -> None:
        """Write the record of a transfer that is not in progress any more."""
        self.store(tx, transfer)
        running = self._running.key(self.key_of(transfer))
        if await tx.get(running) == _COUNTED:
            tx.add(self._count.key(transfer.account), -1)
        tx.delete(running)

    async def running(self, tx: Transaction, after: bytes | None, count: int) -> list[bytes]:
        """Return the keys of up to so many in progress, those that follow another one."""
        begin = self._running.begin if after is None else self._running.key(after) + b"\x00"
        found = await tx.range(begin, self._running.end, limit=count)
        return [self._running.unpack(key)[0] for key, _ in found]

    async def get(self, tx: Transaction, key: bytes) -> T | None:
        """Return a record, or None."""
        raw = await tx.get(key)
        return None if raw is None else self._decode(raw)

    async def listed(
        self, tx: Transaction, account: str, region: str, table: str | None, after: bytes | None, count: int
    ) -> list[T]:
        """Return up to `count` records, of a table or all, that come after a key."""
        return list(map(self._decode, await list_records(tx, self._records, account, region, table, after, count)))

    async def of_token(
        self, tx: Transaction, account: str, region: str, token: str, request: dict[str, Any], since: float
    ) -> tuple[T | None, bool]:
        """Return what a client token was used for after `since`, and whether for the same request."""
        raw = await tx.get(self._tokens.key(account, region, token))
        if raw is None:
            return None, True
        used = _decode_token(raw)
        if used.used < since:
            return None, True
        return await self.get(tx, used.transfer), used.request == _encode(request)

    def note_token(self, tx: Transaction, transfer: T, token: str, request: dict[str, Any]) -> None:
        """Remember what a client token was used for."""
        key = self._tokens.key(transfer.account, transfer.region, token)
        tx.put(key, _encode(_Token(self.key_of(transfer), _encode(request), transfer.started)))
