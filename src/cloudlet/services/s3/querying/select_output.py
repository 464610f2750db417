"""What S3 Select answers: rows as CSV or as JSON. API reference, "OutputSerialization"."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec

_decode = msgspec.json.Decoder(float_hook=Decimal).decode
Writer = Callable[[Sequence[Any]], bytes]


_encode = msgspec.json.Encoder(decimal_format="number").encode


def writer(serialization: Mapping[str, Any], names: Sequence[str], documents: frozenset[int] = frozenset()) -> Writer:
    """Return what turns a row, of columns with these names, into the bytes of a record.

    `documents` are the positions of the columns that have JSON documents, or parts of them.
    """
    if "JSON" in serialization:
        return _json(serialization["JSON"] or {}, names, documents)
    write = _csv(serialization.get("CSV") or {})
    if not documents:
        return write
    return lambda row: write([_decoded(cell) if number in documents else cell for number, cell in enumerate(row)])


def document_writer(serialization: Mapping[str, Any]) -> Writer:
    """Return what turns a row that has nothing but a JSON document into the bytes of a record."""
    if "JSON" in serialization:
        delimiter = _delimiter(serialization["JSON"] or {})
        return lambda row: _whole(row[0]) + delimiter
    as_csv = _csv(serialization.get("CSV") or {})

    def write(row: Sequence[Any]) -> bytes:
        document = _decoded(row[0])
        return as_csv(list(document.values()) if isinstance(document, dict) else [document])

    return write


def _whole(document: str | None) -> bytes:
    """Return a row that is a document as the document of a record; one that is none is a member of it."""
    if document is None:
        return b"{}"
    written = msgspec.json.format(document.encode(), indent=-1)
    return written if written.startswith(b"{") else b'{"_1":' + written + b"}"


def _decoded(document: str | None) -> Any:
    return None if document is None else _decode(document)


def _delimiter(form: Mapping[str, Any]) -> bytes:
    return str(form.get("RecordDelimiter") or "\n").encode()


def _json(form: Mapping[str, Any], names: Sequence[str], documents: frozenset[int]) -> Writer:
    delimiter = _delimiter(form)

    def member(number: int, value: Any) -> Any:
        if number in documents:
            return msgspec.Raw(msgspec.json.format(value.encode(), indent=-1))
        return _plain(value)

    def write(row: Sequence[Any]) -> bytes:
        # What is null in a row is missing from its document.
        members = {names[number]: member(number, value) for number, value in enumerate(row) if value is not None}
        return _encode(members) + delimiter

    return write


def _plain(value: Any) -> Any:
    """Return a value of DuckDB as one of JSON."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else value.normalize()
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
    ends = {field, quote, "\n", "\r", delimiter.decode()}
    special = re.compile("|".join(map(re.escape, ends))).search

    def write(row: Sequence[Any]) -> bytes:
        texts = [value if type(value) is str else _text(value) for value in row]
        if always:
            texts = [quoted(each) for each in texts]
        else:
            texts = [quoted(each) if special(each) else each for each in texts]
        return field.join(texts).encode() + delimiter

    def quoted(text: str) -> str:
        return quote + text.replace(quote, escape + quote) + quote

    return write


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list | tuple):
        return _encode(_plain(value)).decode()
    plain = _plain(value)
    return f"{plain:f}" if isinstance(plain, Decimal) else str(plain)
