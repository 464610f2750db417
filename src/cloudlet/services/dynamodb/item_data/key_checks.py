"""What the attributes that keys are made of must be like: there, of their type, not empty, not too long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cloudlet.core import AwsError
from cloudlet.core.aws import utf8
from cloudlet.services.dynamodb import errors
from cloudlet.services.dynamodb.item_data import numbers
from cloudlet.services.dynamodb.item_data.keys import Attribute, KeySchema, partition
from cloudlet.services.dynamodb.item_data.values import Item, Value, checked_item, type_of
from cloudlet.services.dynamodb.tables.table import Index, Table, VectorIndex

LONGEST_HASH: Final = 2048
LONGEST_RANGE: Final = 1024


def key_of(table: Table, given: Item) -> tuple[bytes, Item]:
    """Return the key that a request's Key names, and its attributes as they are stored. Raises AwsError."""
    schema = table.keys
    if len(given) != len(schema.names):
        raise errors.key_mismatch()
    key = {}
    for name, kind in schema.attributes:
        value = given.get(name)
        if value is None or len(value) != 1 or kind not in value:
            if value is not None:
                checked_item({name: value})
            raise errors.key_mismatch()
        if kind == "N":
            value = {"N": numbers.canonical(value["N"])}
        elif not value[kind]:
            raise errors.EmptyKey(name, _type_word(kind))
        key[name] = value
    return _key(schema, key), key


def check_item_key(table: Table, item: Item) -> bytes:
    """Return the key of a checked item that is to be put. Raises AwsError."""
    schema = table.keys
    for name, kind in schema.attributes:
        value = item.get(name)
        if value is None:
            raise errors.invalid_values(f"Missing the key {name} in the item")
        if kind not in value:
            raise errors.invalid_values(f"Type mismatch for key {name} expected: {kind} actual: {type_of(value)}")
        if not value[kind]:
            raise errors.EmptyKey(name, _type_word(kind))
    return _key(schema, item)


def _key(schema: KeySchema, item: Item) -> bytes:
    """Return the key of an item that has all key attributes. Raises AwsError where one is too long."""
    hash, range = schema.hash_bytes(item), schema.range_bytes(item)
    if len(hash) > LONGEST_HASH or len(range) > LONGEST_RANGE:
        # Encoded they take some bytes more, so these may still be short enough.
        _check_lengths(schema.hash, schema.range, item)
    return partition(hash) + range


def check_index_keys(table: Table, item: Item) -> None:
    """Raise AwsError where an attribute of an item is there, but cannot be the key of an index that it is key of.

    It need not be all of an item: what an update sets attributes to is looked at alike.
    """
    for name, kind in table.key_attribute_types.items():
        value = item.get(name)
        if value is None:
            continue
        if kind not in value:
            raise errors.invalid_values(
                f"Type mismatch for Index Key {name} Expected: {kind} Actual: {type_of(value)} "
                f"IndexName: {_index_of(table, name)}"
            )
        if not value[kind]:
            raise errors.validation(
                "One or more parameter values are not valid. A value specified for a secondary index key is not "
                f"supported. The AttributeValue for a key attribute cannot contain an empty {_type_word(kind)} value. "
                f"IndexName: {_index_of(table, name)}, IndexKey: {name}"
            )
    error = _too_long_for_index(table, item)
    if error is not None:
        raise error


def check_updated_index_keys(table: Table, item: Item) -> None:
    """Raise AwsError where an update has made something of an item's attribute that cannot be the key of an index.

    What the request itself gives has been checked by `check_index_keys`.
    """
    for name, kind in table.key_attribute_types.items():
        if name in item and not item[name].get(kind):
            raise errors.validation(
                "The update expression attempted to update the secondary index key to unsupported type"
            )
    if _too_long_for_index(table, item) is not None:
        raise errors.validation(
            "The update expression attempted to update the secondary index key beyond allowed size limits"
        )


def _too_long_for_index(table: Table, item: Item) -> AwsError | None:
    """Return the error about keys of indexes that are too long, or None."""
    for index in table.live_indexes:
        if index.keys.contains(item):
            error = _too_long(index.keys.hash, index.keys.range, item)
            if error is not None:
                return error
    for vector in table.vectors.values():
        if vector.record.hash in item:
            error = _too_long(vector.hash, (), item)
            if error is not None:
                return error
    return None


def fits_index(index: Index, item: Item) -> bool:
    """Whether an item can be in an index; items of before the index may have other things where its keys are."""
    if not index.keys.contains(item):
        return False
    return all(item[name][kind] for name, kind in index.keys.attributes) and not _too_long(
        index.keys.hash, index.keys.range, item
    )


def fits_vector_index(index: VectorIndex, item: Item) -> bool:
    """Whether the attributes of an item that a vector index is searched by are as it wants them.

    It may lack those that are filtered by; items of before the index may have other things in their place.
    """
    for name, kind in index.types.items():
        value = item.get(name)
        if value is None and name != index.record.hash:
            continue
        if value is None or not value.get(kind):
            return False
    return not index.hash or _too_long(index.hash, (), item) is None


def start_key(table: Table, index: Index | None, given: Item, *, of_scan: bool) -> Item:
    """Return the attributes of an ExclusiveStartKey, of a Scan or a Query, as they are stored. Raises AwsError."""
    types: dict[str, str] = dict(table.keys.attributes)
    if index is not None:
        types.update(index.keys.attributes)
    mismatch = "The provided key element does not match the schema"
    if given.keys() != types.keys():
        raise invalid_start(mismatch) if of_scan else errors.validation("The provided starting key is invalid")
    for name, kind in types.items():
        value = given[name]
        if len(value) != 1 or not value.get(kind):
            raise invalid_start(mismatch) if of_scan else errors.validation(mismatch)
    return checked_item(given)


def invalid_start(reason: str) -> AwsError:
    return errors.validation(f"The provided starting key is invalid: {reason}")


def _index_of(table: Table, attribute: str) -> str:
    for index in table.live_indexes:
        if attribute in index.keys.names:
            return index.name
    return next(vector.name for vector in table.vectors.values() if attribute in vector.types)


def _type_word(kind: str) -> str:
    return "binary" if kind == "B" else "string"


def _length(kind: str, value: Value) -> int:
    content: Any = value[kind]
    if kind == "S":
        return utf8.size(content)
    return len(content) if kind == "B" else 0


def _too_long(hash: Sequence[Attribute], range: Sequence[Attribute], item: Mapping[str, Value]) -> AwsError | None:
    # Numbers take 21 bytes at most: they cannot be too long.
    if sum([_length(kind, item[name]) for name, kind in hash if kind != "N"]) > LONGEST_HASH:
        return errors.invalid_values(f"Size of hashkey has exceeded the maximum size limit of{LONGEST_HASH} bytes")
    if range and sum([_length(kind, item[name]) for name, kind in range if kind != "N"]) > LONGEST_RANGE:
        return errors.invalid_values(
            f"Aggregated size of all range keys has exceeded the size limit of {LONGEST_RANGE} bytes"
        )
    return None


def _check_lengths(hash: Sequence[Attribute], range: Sequence[Attribute], item: Mapping[str, Value]) -> None:
    error = _too_long(hash, range, item)
    if error is not None:
        raise error
