"""What S3 Select answers: rows as CSV or as JSON. API reference, "OutputSerialization"."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec

Writer = Callable[[Sequence[Any]], bytes]


def writer(serialization: Mapping[str, Any], names: Sequence[str]) -> Writer:
    """Return what turns a row, of columns with these names, into the bytes of a record."""
    if "JSON" in serialization:
        return _json(serialization["JSON"] or {}, names)
    return _csv(serialization.get("CSV") or {})


def document_writer(serialization: Mapping[str, Any]) -> Writer:
    """Return what turns a row that has nothing but a JSON document into the bytes of a record."""
    if "JSON" in serialization:
        delimiter = _delimiter(serialization["JSON"] or {})
        return lambda row: row[0].encode() + delimiter
    as_csv = _csv(serialization.get("CSV") or {})

    def write(row: Sequence[Any]) -> bytes:
        document = msgspec.json.decode(row[0])
        return as_csv(list(document.values()) if isinstance(document, dict) else [document])

    return write


def _delimiter(form: Mapping[str, Any]) -> bytes:
    return str(form.get("RecordDelimiter") or "\n").encode()


def _json(form: Mapping[str, Any], names: Sequence[str]) -> Writer:
    delimiter = _delimiter(form)

    def write(row: Sequence[Any]) -> bytes:
        # What is null in a row is missing from its document.
        members = {name: _plain(value) for name, value in zip(names, row, strict=True) if value is not None}
        return msgspec.json.encode(members) + delimiter

    return write


def _plain(value: Any) -> Any:
    """Return a value of DuckDB as one of JSON."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items() if each is not None}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, datetime | date):
        return _moment(value)
    return value.hex() if isinstance(value, bytes | bytearray) else value


def _moment(value: datetime | date) -> str:
    written = value.isoformat()
    return f"{written}Z" if isinstance(value, datetime) and value.tzinfo is None else written


def _csv(form: Mapping[str, Any]) -> Writer:
    delimiter = _delimiter(form)
    field = form.get("FieldDelimiter") or ","
    quote = form.get("QuoteCharacter") or '"'
    escape = form.get("QuoteEscapeCharacter") or quote
    always = form.get("QuoteFields") == "ALWAYS"
    special = (field, quote, "\n", "\r", delimiter.decode())

    def write(row: Sequence[Any]) -> bytes:
        return field.join([cell(value) for value in row]).encode() + delimiter

    def cell(value: Any) -> str:
        written = _text(value)
        if always or any(each in written for each in special):
            return quote + written.replace(quote, escape + quote) + quote
        return written

    return write


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list | tuple):
        return msgspec.json.encode(_plain(value)).decode()
    return str(_plain(value))
