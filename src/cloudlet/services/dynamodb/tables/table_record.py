"""What is stored of a table and its indexes."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.services.dynamodb.item_data.keys import Attribute
from cloudlet.services.dynamodb.tables.features import Features
from cloudlet.services.dynamodb.tables.sealing_record import Sealing

ON_DEMAND, PROVISIONED = "PAY_PER_REQUEST", "PROVISIONED"
CREATING, ACTIVE, UPDATING, DELETING = "CREATING", "ACTIVE", "UPDATING", "DELETING"
INACCESSIBLE = "INACCESSIBLE_ENCRYPTION_CREDENTIALS"


class Throughput(msgspec.Struct, array_like=True, frozen=True, omit_defaults=True):
    """The capacity of a table or a global index, in units a second; 0 where it is on demand, -1 for no limit."""

    read: int = 0
    write: int = 0
    increased: float = 0
    """When it was last increased, and decreased: seconds since the epoch, 0 for never."""
    decreased: float = 0
    decreases_today: int = 0
    most_read: int = -1
    most_write: int = -1
    warm_read: int = 12_000
    warm_write: int = 4_000


class IndexRecord(msgspec.Struct, array_like=True, frozen=True):
    """What is stored of a secondary index."""

    number: int
    """Where its rows are; no other index of the table has or had it."""
    name: str
    is_global: bool
    hash: tuple[str, ...]
    range: tuple[str, ...]
    projection: str
    included: tuple[str, ...] = ()
    status: str = ACTIVE
    throughput: Throughput = Throughput()


class VectorRecord(msgspec.Struct, array_like=True, frozen=True):
    """What is stored of a vector index."""

    number: int
    """Where its rows are; no other index of the table has or had it."""
    name: str
    attribute: str
    dimensions: int
    distance: str
    """COSINE, EUCLIDEAN or DOT_PRODUCT."""
    hash: str | None
    filters: tuple[str, ...]
    projection: str
    included: tuple[str, ...] = ()
    status: str = ACTIVE


class TableRecord(msgspec.Struct, array_like=True, frozen=True):
    """What is stored of a table. Times are in seconds since the epoch."""

    id: int
    account: str
    region: str
    name: str
    uuid: str
    created: float
    status: str
    attributes: tuple[Attribute, ...]
    """The attributes that the keys of the table and its indexes are made of, as they were defined."""
    hash: str
    range: str | None
    billing: str
    billing_changed: float
    """When it was last made on demand; 0 for never."""
    throughput: Throughput = Throughput()
    indexes: tuple[IndexRecord, ...] = ()
    indexes_made: int = 0
    table_class: str | None = None
    table_class_changed: float = 0
    encrypted: bool = False
    """Whether an older Cloudlet was asked for a KMS key, which it did not use."""
    kms_key: str = ""
    deletion_protection: bool = False
    restored_from: dict[str, Any] | None = None
    """The RestoreSummary of a table that was made from a backup."""
    features: Features = Features()
    vectors: tuple[VectorRecord, ...] = ()
    sealing: Sealing | None = None
    """The encryption of its contents, where a KMS key is named."""


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(TableRecord).decode
