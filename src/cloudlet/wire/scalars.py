"""Scalars as text: in XML, query strings, forms, headers and paths."""

from __future__ import annotations

import math
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any, Final

from cloudlet.wire import timestamps
from cloudlet.wire.shapes import Ref, Shape
from cloudlet.wire.trees import INTEGER_BOUNDS, SPECIAL_FLOATS, check_scalar

FromText = Callable[[str], Any]
ToText = Callable[[Any], str]

_INTEGER: Final = re.compile(r"[+-]?\d{1,40}\Z", re.ASCII)
_FLOAT: Final = re.compile(r"[+-]?(\d{1,400}(\.\d{0,400})?|\.\d{1,400})([eE][+-]?\d{1,4})?\Z", re.ASCII)
_BOOLEANS: Final = {"true": True, "false": False, "1": True, "0": False}


class NotConvertible(ValueError):
    """A text that is no value of its shape's type."""


def from_text(ref: Ref, timestamp_format: str = "iso8601") -> FromText:
    """Return the function that reads a scalar; it raises `NotConvertible` at what is not of the shape's type."""
    kind = ref.shape.kind
    if kind == "timestamp":
        format = ref.timestamp_format or timestamp_format
        return lambda text: _timestamp(text, format)
    if kind == "boolean":
        return _boolean
    if kind == "blob":
        return _blob
    if kind in ("float", "double"):
        return _float
    if kind in INTEGER_BOUNDS or kind == "biginteger":
        low, high = INTEGER_BOUNDS.get(kind, (None, None))
        return lambda text: _integer(text, low, high)
    return str


def _timestamp(text: str, format: str) -> float:
    try:
        return timestamps.parse(text, format)
    except (ValueError, OverflowError):
        raise NotConvertible(text) from None


def _boolean(text: str) -> bool:
    try:
        return _BOOLEANS[text.strip().lower()]
    except KeyError:
        raise NotConvertible(text) from None


def _blob(text: str) -> bytes:
    try:
        return b64decode("".join(text.split()).encode("ascii"), validate=True)
    except ValueError:
        raise NotConvertible(text) from None


def _integer(text: str, low: int | None, high: int | None) -> int:
    text = text.strip()
    if not _INTEGER.match(text):
        raise NotConvertible(text)
    value = int(text)
    if low is not None and high is not None and not low <= value <= high:
        raise NotConvertible(text)
    return value


def _float(text: str) -> float:
    text = text.strip()
    if text in SPECIAL_FLOATS:
        return SPECIAL_FLOATS[text]
    if not _FLOAT.match(text):
        raise NotConvertible(text)
    return float(text)


def to_text(ref: Ref, timestamp_format: str = "iso8601") -> ToText:
    """Return the function that writes a scalar; it raises `InvalidResult` at what is not of the shape's type."""
    shape = ref.shape
    if shape.kind == "timestamp":
        return timestamps.writer(ref.timestamp_format or timestamp_format)
    if shape.kind == "boolean":
        return lambda value: "true" if check_scalar(shape, value) else "false"
    if shape.kind == "blob":
        return lambda value: b64encode(check_scalar(shape, value)).decode("ascii")
    if shape.kind in ("float", "double"):
        return lambda value: float_text(check_scalar(shape, value))
    written = str if shape.kind in ("string", "character") else int
    return lambda value: str(value) if type(value) is written else _plain(shape, value)


def _plain(shape: Shape, value: Any) -> str:
    text = check_scalar(shape, value)
    return text if isinstance(text, str) else str(text)


def float_text(value: float) -> str:
    """Return a number as AWS writes it, with words for those that are none."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(value)
