"""A table: its keys and indexes decoded, and where in the store its items are.

Below ("t", id) is all that a table has, so that deleting it is one range deletion: its items under "i", the rows of an
index under ("x", number). What others keep of a table lies beside these, under names of their own.
"""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core import Arn, Subspace
from cloudlet.core.aws.arn import partition_of
from cloudlet.services.dynamodb.item_data.keys import Attribute, KeySchema, hashed
from cloudlet.services.dynamodb.streaming import streams
from cloudlet.services.dynamodb.tables import table_record
from cloudlet.services.dynamodb.tables.table_record import IndexRecord, TableRecord, VectorRecord

_CACHED_TABLES: Final = 1024


class Index:
    """A secondary index as operations use it."""

    __slots__ = ("attributes", "keys", "record", "row_count", "rows", "size_count")

    def __init__(self, record: IndexRecord, table: Subspace, types: dict[str, str], table_keys: KeySchema) -> None:
        self.record = record
        self.keys = KeySchema(
            tuple((name, types[name]) for name in record.hash), tuple((name, types[name]) for name in record.range)
        )
        self.rows = hashed(table.sub("x", record.number))
        """The index's key followed by that of the table → the item, as far as it is projected."""
        space = table.sub("n", record.number)
        self.row_count = space.key("rows")
        self.size_count = space.key("bytes")
        self.attributes: frozenset[str] | None = None
        """The attributes that it shows; None means all."""
        if record.projection != "ALL":
            self.attributes = frozenset((*self.keys.names, *table_keys.names, *record.included))

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def is_global(self) -> bool:
        return self.record.is_global

    def projected(self, item: dict[str, Any]) -> dict[str, Any]:
        """Return what the index shows of an item."""
        attributes = self.attributes
        return item if attributes is None else {name: item[name] for name in item if name in attributes}


class VectorIndex:
    """A vector index as operations use it."""

    __slots__ = ("attributes", "hash", "record", "row_count", "rows", "size_count", "types")

    def __init__(self, record: VectorRecord, table: Subspace, types: dict[str, str], table_keys: KeySchema) -> None:
        self.record = record
        schema = (*(() if record.hash is None else (record.hash,)), *record.filters)
        self.types = {name: types[name] for name in schema}
        """The attributes of its search schema, which it always shows, and their types."""
        self.hash: tuple[Attribute, ...] = () if record.hash is None else ((record.hash, types[record.hash]),)
        self.rows = hashed(table.sub("v", record.number))
        """The partition, and what tells its items apart → a vector, and what else is projected of the item."""
        space = table.sub("n", record.number)
        self.row_count = space.key("rows")
        self.size_count = space.key("bytes")
        self.attributes: frozenset[str] | None = None
        """The attributes that it shows beside the vector; None means all."""
        if record.projection != "ALL":
            self.attributes = frozenset((*schema, *table_keys.names, *record.included))

    @property
    def name(self) -> str:
        return self.record.name

    def projected(self, item: dict[str, Any]) -> dict[str, Any]:
        """Return what the index shows of an item beside its vector."""
        attributes, vector = self.attributes, self.record.attribute
        return {name: item[name] for name in item if name != vector and (attributes is None or name in attributes)}


class Table:
    """A table as operations use it."""

    __slots__ = (
        "all",
        "arn",
        "features",
        "indexes",
        "is_sealed",
        "is_watched",
        "item_count",
        "items",
        "items_prefix",
        "key_attribute_types",
        "key_names",
        "keys",
        "live_indexes",
        "local_indexes",
        "record",
        "sealed_prefixes",
        "size_count",
        "types",
        "vectors",
    )

    def __init__(self, record: TableRecord) -> None:
        self.record = record
        self.features = record.features
        self.is_watched = record.features.watched
        """Whether anyone must hear of a write."""
        self.arn = table_arn(record.account, record.region, record.name)
        self.types = dict(record.attributes)
        range_names = () if record.range is None else (record.range,)
        self.keys = KeySchema(
            ((record.hash, self.types[record.hash]),), tuple((name, self.types[name]) for name in range_names)
        )
        self.key_names = self.keys.names
        self.all = Subspace("t", record.id)
        self.items = hashed(self.all.sub("i"))
        """Key → the stored item."""
        self.items_prefix = self.items.prefix
        self.is_sealed = record.sealing is not None
        self.sealed_prefixes = self._list_contents() if self.is_sealed else ()
        """The prefixes of keys whose values are encrypted."""
        space = self.all.sub("n")
        self.item_count = space.key("rows")
        self.size_count = space.key("bytes")
        self.indexes = {each.name: Index(each, self.all, self.types, self.keys) for each in record.indexes}
        self.vectors = {each.name: VectorIndex(each, self.all, self.types, self.keys) for each in record.vectors}
        self.live_indexes = tuple(self.indexes.values())
        """Those that writes keep in line: all of them, also while they are filled."""
        self.local_indexes = tuple(index for index in self.live_indexes if not index.is_global)
        keys_of_indexes = (
            *(index.keys.attributes for index in self.live_indexes),
            *(tuple(index.types.items()) for index in self.vectors.values()),
        )
        self.key_attribute_types = {
            name: kind for keys in keys_of_indexes for name, kind in keys if name not in self.key_names
        }
        """The attributes beside the table's own key that are keys of indexes: their types are fixed too."""

    @property
    def id(self) -> int:
        return self.record.id

    @property
    def name(self) -> str:
        return self.record.name

    def _list_contents(self) -> tuple[bytes, ...]:
        """Return what the keys begin with whose values have contents of items."""
        below = [self.all.sub(name).prefix for name in ("i", "x", "v", "journal")]
        stream = self.record.features.stream
        return (*below, *(() if stream is None else (streams.Contents(stream.id).records.prefix,)))

    def key(self, item: dict[str, Any]) -> bytes:
        """Return the key, below `items`, of an item or of its key attributes."""
        return self.keys.key(item)

    def index_arn(self, index: str) -> str:
        return f"{self.arn}/index/{index}"


def table_arn(account: str, region: str, name: str) -> str:
    """Return the ARN of a table."""
    return str(Arn(partition_of(region), "dynamodb", region, account, f"table/{name}"))


_tables: Final[dict[bytes, Table]] = {}


def decode(raw: bytes) -> Table:
    """Return the table of a stored record. Decoded tables are kept: the same bytes mean the same table."""
    table = _tables.get(raw)
    if table is None:
        if len(_tables) >= _CACHED_TABLES:
            del _tables[next(iter(_tables))]
        table = _tables[raw] = Table(table_record.decode(raw))
    return table
