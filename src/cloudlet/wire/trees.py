"""Trees of plain values, as JSON and CBOR carry them, to parameters and from results.

The functions here are compiled once per shape. Reading enforces types and words what does not fit as AWS's front
end does. Writing comes in two strengths: `quick` leaves alone whatever needs no change, so that most results are
encoded as they are, and `full` also refuses what the model does not know and drops members that are None.
"""

from __future__ import annotations

import math
import sys
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final

from cloudlet.wire import timestamps
from cloudlet.wire.errors import InvalidRequest, InvalidResult
from cloudlet.wire.shapes import Ref, Shape

Read = Callable[[Any], Any]
Write = Callable[[Any], Any]

INTEGER_BOUNDS: Final = {
    "byte": (-(2**7), 2**7 - 1),
    "short": (-(2**15), 2**15 - 1),
    "integer": (-(2**31), 2**31 - 1),
    "long": (-(2**63), 2**63 - 1),
}
_LARGEST: Final = int(sys.float_info.max)
SPECIAL_FLOATS: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_JAVA_NAMES: Final = {
    "string": "String",
    "character": "String",
    "integer": "Integer",
    "long": "Long",
    "short": "Short",
    "byte": "Byte",
    "float": "Float",
    "double": "Double",
    "boolean": "Boolean",
    "blob": "Blob",
    "timestamp": "Timestamp",
}


def malformed(message: str) -> InvalidRequest:
    """Return the error about a body that cannot be read."""
    return InvalidRequest("SerializationException", message)


def _mismatch(value: Any, ref: Ref) -> InvalidRequest:
    if isinstance(value, dict):
        return malformed("Start of structure or map found where not expected.")
    if isinstance(value, list):
        return malformed("Start of list found where not expected")
    name = _JAVA_NAMES.get(ref.shape.kind)
    if name is None:
        return malformed(f"Unexpected field type: expected a {ref.shape.kind}")
    if value is True:
        found = "TRUE_VALUE"
    elif value is False:
        found = "FALSE_VALUE"
    elif isinstance(value, float):
        found = "DECIMAL_VALUE"
    elif isinstance(value, int):
        found = "NUMBER_VALUE"
    elif isinstance(value, bytes):
        found = "BLOB_VALUE"
    elif value is None:
        found = "NULL_VALUE"
    else:
        found = "STRING_VALUE"
    return malformed(f"{found} can not be converted to {'an' if name[0] in 'AEIOU' else 'a'} {name}")


def integer(value: Any, ref: Ref) -> int:
    """Return an integer in the range of the shape; 5.0 is 5."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _mismatch(value, ref)
    low, high = INTEGER_BOUNDS.get(ref.shape.kind, (None, None))
    if low is not None and high is not None and not low <= value <= high:
        raise malformed(f"Numeric value out of range of {_JAVA_NAMES[ref.shape.kind]}")
    return value


class Reader:
    """Compiles shapes to functions that turn plain values to parameters; one for each dialect of a service."""

    def __init__(self, timestamp_format: str = "unixTimestamp", binary: bool = False) -> None:
        self._timestamp_format = timestamp_format
        self._binary = binary
        self._compiled: dict[str, Read] = {}

    def read(self, ref: Ref) -> Read:
        """Return the function that reads a value of this use of a shape."""
        shape = ref.shape
        if shape.is_document:
            return _identity
        if shape.kind in ("structure", "list", "map"):
            return self._container(shape, ref)
        if shape.kind == "timestamp":
            return self._timestamp(ref)
        if shape.kind == "blob":
            return _raw_bytes(ref) if self._binary else _base64(ref)
        if shape.kind in ("float", "double"):
            return _float(ref)
        if shape.kind == "boolean":
            return _typed(ref, bool)
        if shape.kind in INTEGER_BOUNDS or shape.kind == "biginteger":
            return lambda value: integer(value, ref)
        return _typed(ref, str)

    def structure(self, ref: Ref, members: Mapping[str, Ref]) -> Read:
        """Return the function that reads some of the members of a structure, passing over what it does not know."""
        table = [(member.wire_name or name, name, self.read(member)) for name, member in members.items()]

        def read_structure(value: Any) -> dict[str, Any]:
            if not isinstance(value, dict):
                raise _mismatch(value, ref)
            result = {}
            for wire, name, read in table:
                item = value.get(wire)
                if item is not None:
                    result[name] = read(item)
            return result

        return read_structure

    def _container(self, shape: Shape, ref: Ref) -> Read:
        if shape.name in self._compiled:
            return self._compiled[shape.name]
        compiled, name = self._compiled, shape.name
        # While the shape is being compiled, whatever contains it again reads through this.
        compiled[name] = lambda value: compiled[name](value)
        if shape.kind == "structure":
            read = self.structure(ref, shape.members)
        elif shape.kind == "list":
            read = self._list(shape, ref)
        else:
            read = self._map(shape, ref)
        compiled[name] = read
        return read

    def _list(self, shape: Shape, ref: Ref) -> Read:
        element, sparse, element_ref = self.read(shape.element), shape.is_sparse, shape.element

        def read_list(value: Any) -> list[Any]:
            if not isinstance(value, list):
                raise _mismatch(value, ref)
            if None in value:
                if not sparse:
                    raise _mismatch(None, element_ref)
                return [None if item is None else element(item) for item in value]
            return [element(item) for item in value]

        return read_list

    def _map(self, shape: Shape, ref: Ref) -> Read:
        read_value, sparse = self.read(shape.value), shape.is_sparse

        def read_map(value: Any) -> dict[str, Any]:
            if not isinstance(value, dict):
                raise _mismatch(value, ref)
            result = {}
            for key, item in value.items():
                if not isinstance(key, str):
                    raise _mismatch(key, shape.key)
                if item is not None:
                    result[key] = read_value(item)
                elif sparse:
                    result[key] = None
                else:
                    raise _mismatch(None, shape.value)
            return result

        return read_map

    def _timestamp(self, ref: Ref) -> Read:
        format = ref.timestamp_format or self._timestamp_format

        def read_timestamp(value: Any) -> float:
            try:
                if isinstance(value, int | float) and not isinstance(value, bool):
                    return timestamps.in_range(float(value))
                if isinstance(value, str) and format != "unixTimestamp":
                    return timestamps.parse(value, format)
            except (ValueError, OverflowError):
                raise malformed("Unable to parse timestamp") from None
            raise _mismatch(value, ref)

        return read_timestamp


def _identity(value: Any) -> Any:
    return value


def _typed(ref: Ref, type_: type) -> Read:
    def read_typed(value: Any) -> Any:
        if not isinstance(value, type_):
            raise _mismatch(value, ref)
        return value

    return read_typed


def _float(ref: Ref) -> Read:
    def read_float(value: Any) -> float | int:
        if isinstance(value, str) and value in SPECIAL_FLOATS:
            return SPECIAL_FLOATS[value]
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise _mismatch(value, ref)
        if isinstance(value, int) and not -_LARGEST <= value <= _LARGEST:
            raise malformed(f"Numeric value out of range of {_JAVA_NAMES[ref.shape.kind]}")
        return value

    return read_float


def _base64(ref: Ref) -> Read:
    def read_base64(value: Any) -> bytes:
        if not isinstance(value, str):
            raise _mismatch(value, ref)
        try:
            return b64decode(value.encode("ascii"), validate=True)
        except (Base64Error, ValueError):
            raise malformed("The input is not valid Base64") from None

    return read_base64


def _raw_bytes(ref: Ref) -> Read:
    def read_bytes(value: Any) -> bytes:
        if not isinstance(value, bytes):
            raise _mismatch(value, ref)
        return value

    return read_bytes


def unexpected(shape: Shape, value: Any) -> InvalidResult:
    """Return the error about a result that is not of its shape's type."""
    return InvalidResult(f"{shape.name} is a {shape.kind}, not {type(value).__name__}: {value!r:.200}")


def check_scalar(shape: Shape, value: Any) -> Any:
    """Return a scalar of a result as a plain value; raise `InvalidResult` if it is not of its shape's type."""
    kind = shape.kind
    if kind in ("string", "character"):
        if isinstance(value, str):
            return value.value if isinstance(value, Enum) else value
    elif kind == "boolean":
        if isinstance(value, bool):
            return value
    elif kind == "blob":
        if isinstance(value, bytes | bytearray | memoryview):
            return value
    elif kind in ("float", "double"):
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
    elif isinstance(value, int) and not isinstance(value, bool):
        return value
    raise unexpected(shape, value)


def _unless(written: type, write: Write) -> Write:
    return lambda value: value if type(value) is written else write(value)


class Writer:
    """Compiles shapes to functions that turn results to plain values; None where there is nothing to do."""

    def __init__(
        self, timestamp: Callable[[Any, str | None], Any], floats: Write, *, full: bool, written: type | None = None
    ) -> None:
        """Values of the type `written` are in their final form already, and left alone."""
        self._timestamp = timestamp
        self._floats = floats
        self._full = full
        self._written = written
        self._compiled: dict[str, Write] = {}
        self._changes: dict[str, bool] = {}

    def write(self, ref: Ref) -> Write | None:
        """Return the function that writes a value of this use of a shape, or None if it can stay as it is."""
        shape = ref.shape
        if shape.is_document:
            return None
        if shape.kind in ("structure", "list", "map"):
            if self._full or self._needs_change(shape, set()):
                return self._container(shape)
            return None
        if shape.kind == "timestamp":
            timestamp, format = self._timestamp, ref.timestamp_format
            return lambda value: timestamp(value, format)
        if not self._full:
            return None
        if shape.kind in ("float", "double"):
            floats = self._floats
            return lambda value: floats(check_scalar(shape, value))
        return lambda value: check_scalar(shape, value)

    def structure(self, shape: Shape, members: Mapping[str, Ref]) -> Write:
        """Return the function that writes some of the members of a structure."""
        table = {name: (member.wire_name or name, self.write(member)) for name, member in members.items()}

        def write_structure(value: Any) -> dict[str, Any]:
            result = {}
            try:
                for name, item in value.items():
                    if item is not None:
                        wire, write = table[name]
                        result[wire] = item if write is None else write(item)
            except KeyError as error:
                if error.args and error.args[0] in table:
                    raise
                raise InvalidResult(f"{shape.name} has no member {error}") from None
            except AttributeError:
                raise unexpected(shape, value) from None
            return result

        return write_structure

    def _container(self, shape: Shape) -> Write:
        if shape.name in self._compiled:
            return self._compiled[shape.name]
        compiled, name = self._compiled, shape.name
        compiled[name] = lambda value: compiled[name](value)
        if shape.kind == "structure":
            write = self.structure(shape, shape.members)
        elif shape.kind == "list":
            write = self._list(shape)
        else:
            write = self._map(shape)
        if self._written is not None:
            write = _unless(self._written, write)
        compiled[name] = write
        return write

    def _list(self, shape: Shape) -> Write:
        element = self.write(shape.element)

        def write_list(value: Any) -> list[Any]:
            if not isinstance(value, list | tuple):
                raise unexpected(shape, value)
            if element is None:
                return list(value)
            return [None if item is None else element(item) for item in value]

        return write_list

    def _map(self, shape: Shape) -> Write:
        write = self.write(shape.value)

        def write_map(value: Any) -> dict[str, Any]:
            if not isinstance(value, Mapping):
                raise unexpected(shape, value)
            if write is None:
                return dict(value)
            return {key: None if item is None else write(item) for key, item in value.items()}

        return write_map

    def _needs_change(self, shape: Shape, seen: set[str]) -> bool:
        """Return whether a value of the shape can contain something that is written otherwise than it is given."""
        known = self._changes.get(shape.name)
        if known is not None:
            return known
        if shape.name in seen:
            return False
        seen.add(shape.name)
        if shape.kind == "structure":
            members = shape.members
            changes = any(ref.wire_name not in (None, name) for name, ref in members.items())
            refs = list(members.values())
        else:
            changes = False
            refs = [shape.element] if shape.kind == "list" else [shape.value]
        changes = changes or any(
            ref.shape.kind == "timestamp"
            or (ref.shape.kind in ("structure", "list", "map") and self._needs_change(ref.shape, seen))
            for ref in refs
            if not ref.shape.is_document
        )
        if changes or len(seen) == 1:
            self._changes[shape.name] = changes
        return changes
