"""What a Query or a Scan reads: a range of the keys of a table or an index, and whether that goes with the request."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from cloudlet.core import Params
from cloudlet.services.dynamodb import errors
from cloudlet.services.dynamodb.item_data import keys
from cloudlet.services.dynamodb.item_data.key_checks import invalid_start, start_key
from cloudlet.services.dynamodb.item_data.values import Item, to_api
from cloudlet.services.dynamodb.requests.clauses import Clauses
from cloudlet.services.dynamodb.tables.table import Index, Table
from cloudlet.services.dynamodb.tables.table_record import CREATING


@dataclass(slots=True)
class Place:
    """A range of the keys of a table or an index."""

    table: Table
    index: Index | None
    begin: bytes
    end: bytes
    backwards: bool = False
    partition: bytes = b""
    """For a Query, what the keys of its partition begin with."""
    fetches: bool = False
    """Whether items are fetched from the table, since a local index does not show enough of them."""

    @property
    def prefix(self) -> bytes:
        """What all keys begin with; `begin` and `end` are complete."""
        return self.table.items_prefix if self.index is None else self.index.rows.prefix

    @property
    def has_one_item(self) -> bool:
        """Whether it is the partition of a table without a sort key: nothing can follow its item."""
        return bool(self.partition) and self.index is None and not self.schema.range

    @property
    def schema(self) -> keys.KeySchema:
        """The key by which items are read."""
        return self.table.keys if self.index is None else self.index.keys

    def go_on_behind(self, key: bytes) -> None:
        """Leave out everything up to a key."""
        if self.backwards:
            self.end = min(self.end, key)
        else:
            self.begin = max(self.begin, key + b"\x00")


class Asked(msgspec.Struct, frozen=True):
    """What is asked for, before it is known what the table is like."""

    operation: str
    """Query or Scan."""
    params: Params
    clauses: Clauses
    filters_keys: bool
    """Whether a Query may filter by key attributes, as PartiQL does."""

    @property
    def consistent(self) -> bool:
        consistent: bool = self.params.get("ConsistentRead", False)
        return consistent

    def place(self, table: Table) -> Place:
        """Return what is to be read of a table. Raises AwsError for a request that does not go with it."""
        index = self._index(table)
        fetches = self._check_projected(index)
        place = self._scanned(table, index) if self.operation == "Scan" else self._queried(table, index)
        place.fetches = fetches
        given = self.params.get("ExclusiveStartKey")
        if given is not None:
            start = start_key(table, index, given, of_scan=self.operation == "Scan")
            key = place.schema.key(start)
            if index is not None:
                key += keys.behind_index_key(table.key(start))
            at = place.prefix + key
            self._check_start(place, at, start)
            place.go_on_behind(at)
        return place

    def _index(self, table: Table) -> Index | None:
        name = self.params.get("IndexName")
        if name is None:
            if self.params.get("Select") == "ALL_PROJECTED_ATTRIBUTES":
                raise errors.validation("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
            return None
        index = table.indexes.get(name)
        if name in table.vectors:
            raise errors.validation(f"{self.operation} operation not supported on this index type.")
        if index is None:
            raise errors.validation(f"The table does not have the specified index: {name}")
        if index.record.status == CREATING:
            raise errors.validation(f"Cannot read from backfilling global secondary index: {name}")
        if index.is_global and self.consistent:
            raise errors.validation("Consistent reads are not supported on global secondary indexes")
        return index

    def _check_projected(self, index: Index | None) -> bool:
        """Return whether items have to be fetched from the table, since the (local) index does not show enough."""
        if index is None or index.attributes is None:
            return False
        everything = self.params.get("Select") == "ALL_ATTRIBUTES"
        if index.is_global and everything:
            raise errors.invalid_values(
                f"Select type ALL_ATTRIBUTES is not supported for global secondary index {index.name} "
                "because its projection type is not ALL"
            )
        wanted: set[str] = set()
        for part in (self.clauses.projection, self.clauses.filter):
            if part is not None:
                wanted |= part.attributes
        missing = sorted(wanted - index.attributes)
        if index.is_global and missing:
            raise errors.invalid_values(f"Global secondary index {index.name} does not project [{', '.join(missing)}]")
        return everything or bool(missing)

    def _scanned(self, table: Table, index: Index | None) -> Place:
        place = Place(table, index, b"", b"")
        total, number = self.params.get("TotalSegments"), self.params.get("Segment")
        low, high = keys.segment(0, 1) if total is None or number is None else keys.segment(number, total)
        place.begin, place.end = place.prefix + low, place.prefix + high
        return place

    def _queried(self, table: Table, index: Index | None) -> Place:
        place = Place(table, index, b"", b"", not self.params.get("ScanIndexForward", True))
        schema = place.schema
        condition = self.clauses.key_condition
        if condition is None:
            raise errors.validation(
                "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."
            )
        wanted = condition.on(schema.hash_names, schema.range_names, schema.types)
        self._check_filter(schema)
        hashes = b"".join(
            [keys.encoded(kind, value) for (_, kind), value in zip(schema.hash, wanted.hash, strict=True)]
        )
        prefix = place.partition = place.prefix + keys.partition(hashes)
        for (_, kind), value in zip(schema.range, wanted.equal, strict=False):
            prefix += keys.encoded(kind, value)
        if wanted.condition is None:
            place.begin, place.end = keys.within(prefix)
        else:
            kind = schema.range[len(wanted.equal)][1]
            bounds = [keys.encoded(kind, value) for value in wanted.condition.values]
            place.begin, place.end = keys.bounds(prefix, wanted.condition.comparison, *bounds)
        return place

    def _check_filter(self, schema: keys.KeySchema) -> None:
        """A Query's filter has no say in what its key condition is for."""
        if self.clauses.filter is None or self.filters_keys:
            return
        for name in schema.names:
            if name in self.clauses.filter.attributes:
                what = "QueryFilter" if "QueryFilter" in self.params else "Filter Expression"
                raise errors.validation(
                    f"{what} can only contain non-primary key attributes: Primary key attribute: {name}"
                )

    def _check_start(self, place: Place, at: bytes, start: Item) -> None:
        if self.operation == "Scan":
            total, number = self.params.get("TotalSegments"), self.params.get("Segment")
            if not place.begin <= at < place.end:
                raise invalid_start(
                    "Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. "
                    f"TotalSegments: {total} Segment: {number}"
                )
            return
        if place.has_one_item:
            given = ", ".join(f"{name}={to_api(value)}" for name, value in start.items())
            raise errors.validation(f"The provided exclusive start key is invalid: ExclusiveStartKey: {{{given}}}")
        if not place.begin <= at < place.end:
            if at.startswith(place.partition):
                raise errors.validation("The provided starting key does not match the range key predicate")
            raise errors.validation(
                "The provided starting key is outside query boundaries based on provided conditions"
            )


def _check_segments(params: Params) -> None:
    """Raise unless Segment and TotalSegments of a Scan go with each other."""
    total, number = params.get("TotalSegments"), params.get("Segment")
    if total is None and number is None:
        return
    if total is None:
        raise errors.validation(
            "The TotalSegments parameter is required but was not present in the request when Segment parameter is "
            "present"
        )
    if number is None:
        raise errors.validation(
            "The Segment parameter is required but was not present in the request when parameter TotalSegments is "
            "present"
        )
    if number >= total:
        raise errors.validation(
            f"The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: {number} "
            f"is not less than TotalSegments: {total}"
        )


def check_selection(params: Params, operation: str) -> None:
    """Raise unless Select goes with what else says which attributes are wanted."""
    if operation == "Scan":
        _check_selected(params)
        _check_segments(params)
    else:
        with errors.one_detected():
            _check_selected(params)


def _check_selected(params: Params) -> None:
    select = params.get("Select")
    projected = next((name for name in ("AttributesToGet", "ProjectionExpression") if name in params), None)
    if select in ("ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES", "COUNT") and projected is not None:
        what = "only the Count" if select == "COUNT" else select
        raise errors.validation(f"Cannot specify the {projected} when choosing to get {what}")
    if select == "SPECIFIC_ATTRIBUTES" and projected is None:
        raise errors.validation(
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES"
        )
