"""What S3 Select reads: an object as a table of DuckDB. API reference, "InputSerialization".

CSV has columns of text. JSON has one row a document, or element of one, with the document itself beside its members.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from cloudlet.core import AwsError
from cloudlet.services.s3 import errors
from cloudlet.services.s3.select_expression import Step, quoted

if TYPE_CHECKING:
    import duckdb

DOCUMENT = "\x01document"
"""The column with the whole of a JSON document: a name that no document's member has."""
_NO_NULL = "\x01\x02"
"""What stands for null in CSV: nothing. An empty field is an empty text."""
_FIRST_LINE_BYTES = 1 << 20
_DELIMITERS = {"\n": "\\n", "\r\n": "\\r\\n", "\r": "\\r"}


def text(value: str) -> str:
    """Return a text as a literal of SQL."""
    return "'" + value.replace("'", "''") + "'"


def header(file: Path, serialization: Mapping[str, Any]) -> list[str] | None:
    """Return the names of the columns of CSV, by the file's first record; None for other formats."""
    form = serialization.get("CSV")
    if form is None:
        return None
    with opened(file, serialization) as source:
        sample = source.read(_FIRST_LINE_BYTES)
    lines = io.StringIO(sample.decode(errors="replace").removeprefix("\ufeff"), newline="")
    comment = form.get("Comments")
    records = csv.reader(
        (line for line in lines if not comment or not line.startswith(comment)),
        delimiter=_one(form, "FieldDelimiter", ","),
        quotechar=_one(form, "QuoteCharacter", '"'),
    )
    first = next(records, [])
    if form.get("FileHeaderInfo") == "USE":
        return _distinct(first)
    return [f"_{number}" for number, _ in enumerate(first, 1)]


def _one(form: Mapping[str, Any], name: str, default: str) -> str:
    value = form.get(name) or default
    if len(value) != 1:
        raise errors.not_implemented(f"{name} of more than one character")
    return str(value)


def _distinct(names: list[str]) -> list[str]:
    """Return names of which none is twice, nor empty; names are the same whatever their case is."""
    known: set[str] = set()
    found = []
    for number, name in enumerate(names, 1):
        unique = name if name and name.lower() not in known else f"_{number}"
        known.add(unique.lower())
        found.append(unique)
    return found


def opened(file: Path, serialization: Mapping[str, Any]) -> BinaryIO:
    """Open an object for reading, decompressed."""
    match serialization.get("CompressionType", "NONE"):
        case "GZIP":
            return cast(BinaryIO, gzip.open(file))
        case "BZIP2":
            return cast(BinaryIO, bz2.open(file))
        case _:
            return file.open("rb")


def table(
    connection: duckdb.DuckDBPyConnection,
    file: Path,
    serialization: Mapping[str, Any],
    columns: list[str] | None,
    path: list[Step],
) -> str:
    """Return the object as what a query selects from."""
    if "CSV" in serialization:
        if path:
            raise AwsError("InvalidDataSource", "A path behind S3Object is for JSON only.", status=400)
        return _csv(file, serialization["CSV"], columns or [])
    if "JSON" in serialization:
        return _json(connection, file, serialization["JSON"], path)
    if path:
        raise AwsError("InvalidDataSource", "A path behind S3Object is for JSON only.", status=400)
    return f"read_parquet({text(str(file))})"


def _csv(file: Path, form: Mapping[str, Any], columns: list[str]) -> str:
    delimiter = form.get("RecordDelimiter") or "\n"
    if delimiter not in _DELIMITERS:
        raise errors.not_implemented("a RecordDelimiter other than the ends of lines")
    if not columns:
        return '(SELECT 1 AS "_1" WHERE false)'
    options = {
        "auto_detect": "false",
        "columns": "{" + ", ".join(f"{text(name)}: 'VARCHAR'" for name in columns) + "}",
        "header": "false" if form.get("FileHeaderInfo", "NONE") == "NONE" else "true",
        "delim": text(_one(form, "FieldDelimiter", ",")),
        "quote": text(_one(form, "QuoteCharacter", '"')),
        "escape": text(_one(form, "QuoteEscapeCharacter", '"')),
        "nullstr": text(_NO_NULL),
        "null_padding": "true",
        "strict_mode": "false",
        "parallel": "false",
    }
    if form.get("Comments"):
        options["comment"] = text(_one(form, "Comments", "#"))
    return f"read_csv({text(str(file))}, {', '.join(f'{name} = {value}' for name, value in options.items())})"


def _json(connection: duckdb.DuckDBPyConnection, file: Path, form: Mapping[str, Any], path: list[Step]) -> str:
    kind = "newline_delimited" if form.get("Type") == "LINES" else "unstructured"
    documents = f"SELECT json AS d FROM read_json_objects({text(str(file))}, format = '{kind}')"
    for step in path:
        documents = f"SELECT {_stepped(step)} AS d FROM ({documents})"
    documents = f"SELECT d FROM ({documents}) WHERE d IS NOT NULL"
    structure = connection.execute(f"SELECT json_group_structure(d) FROM ({documents})").fetchone()
    found = structure[0] if structure is not None else None
    if found is None or not found.startswith("{") or found == "{}":
        # There is nothing, or nothing with members.
        return f'(SELECT d AS "_1", d AS {quoted(DOCUMENT)} FROM ({documents}))'
    return f"(SELECT unnest(from_json(d, {text(found)})), d AS {quoted(DOCUMENT)} FROM ({documents}))"


def _stepped(step: Step) -> str:
    if step is None:
        return "unnest(CASE json_type(d) WHEN 'ARRAY' THEN json_extract(d, '$[*]') ELSE [d] END)"
    member = step if isinstance(step, int) else '"' + step.replace('"', '\\"') + '"'
    return f"json_extract(d, {text(f'$[{member}]' if isinstance(step, int) else f'$.{member}')})"
