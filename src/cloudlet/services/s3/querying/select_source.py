"""What S3 Select reads: an object as a table of DuckDB. API reference, "InputSerialization".

CSV has columns of text. JSON has one row a document, or element of one, with the document itself beside its members,
whose types are those that fit all documents.
"""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import msgspec

from cloudlet.core import AwsError
from cloudlet.services.s3 import errors
from cloudlet.services.s3.querying import select_expression
from cloudlet.services.s3.querying.select_expression import VALUE, Column, Query, Step, quoted

if TYPE_CHECKING:
    import duckdb

DOCUMENT = "\x01document"
"""The column with the whole of a JSON document: a name that no document's member has."""
_SCALARS = frozenset(("BOOLEAN", "DOUBLE", "BIGINT", "UBIGINT", "HUGEINT", "VARCHAR"))
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
    with file.open("rb") as source:
        sample = source.read(_FIRST_LINE_BYTES)
    lines = io.StringIO(_decoded(sample).removeprefix("\ufeff"), newline="")
    comment = form.get("Comments")
    csv.field_size_limit(_FIRST_LINE_BYTES)
    try:
        records = csv.reader(
            (line for line in lines if not comment or not line.startswith(comment)),
            delimiter=_one(form, "FieldDelimiter", ","),
            quotechar=_one(form, "QuoteCharacter", '"'),
        )
    except ValueError:
        message = "FieldDelimiter and QuoteCharacter are to be two characters, neither of which ends a line."
        raise errors.invalid_request(message) from None
    first = next(records, [])
    if form.get("FileHeaderInfo") == "USE":
        return _distinct(first)
    return [f"_{number}" for number, _ in enumerate(first, 1)]


def _decoded(sample: bytes) -> str:
    """Return the beginning of a text, without the half of a character at its end."""
    try:
        decoded = codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        decoded = "\0"
    if "\0" in decoded:
        message = "Invalid encoding type. Only UTF-8 encoding is supported."
        raise AwsError("InvalidTextEncoding", message, status=400)
    return decoded


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


@dataclass(frozen=True)
class Table:
    """What a query selects from: SQL, and the structure of JSON's documents (None for other formats)."""

    sql: str
    structure: Any = None

    def selected(self, column: Column) -> str:
        """Return the SQL of a column; for a path into a JSON document that is what is there, as JSON."""
        if self.structure is None or column.path is None:
            return column.sql
        steps = "".join(_json_step(step) for step in _spelled(self.structure, column.path))
        return f"json_extract({quoted(DOCUMENT)}, {text(f'${steps}')})"


def table(
    connection: duckdb.DuckDBPyConnection,
    file: Path,
    serialization: Mapping[str, Any],
    columns: list[str] | None,
    query: Query,
) -> Table:
    """Return the object, a file or a folder with those of JSON, as what a query selects from. Raises AwsError."""
    if "JSON" in serialization:
        return _json(connection, file, serialization, query)
    if query.path:
        raise AwsError("InvalidDataSource", "A path behind S3Object is for JSON only.", status=400)
    if "CSV" in serialization:
        return Table(_csv(file, serialization["CSV"], columns or []))
    # Selecting everything hides the columns that DuckDB adds, such as the file's name.
    return Table(f"(SELECT * FROM read_parquet({text(str(file))}))")


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


def _json(connection: duckdb.DuckDBPyConnection, folder: Path, serialization: Mapping[str, Any], query: Query) -> Table:
    form = serialization["JSON"]
    kind = "newline_delimited" if form.get("Type") == "LINES" else "unstructured"
    documents = f"SELECT json AS d FROM read_json_objects({text(f'{folder}/*')}, format = '{kind}')"
    # S3Object[*] are all documents, as S3Object is.
    for step in query.path[1:] if query.path[:1] == [None] else query.path:
        documents = f"SELECT {_stepped(step)} AS d FROM ({documents})"
    # One document of each structure: those of all documents together would be as much as the object is.
    kinds = f"SELECT any_value(d) AS d FROM ({documents}) GROUP BY json_structure(d)"
    row = connection.execute(f"SELECT json_group_structure(d) FROM ({kinds})").fetchone()
    found = msgspec.json.decode(row[0]) if row is not None and row[0] is not None else {}
    if found == "NULL":
        found = {}
    if not isinstance(found, dict):
        value = f"CAST(d->>'$' AS {found})" if isinstance(found, str) and found in _SCALARS else "d"
        absent = {path[0] for path in query.references if path and isinstance(path[0], str)}
        members = "".join(f"NULL AS {quoted(name)}, " for name in sorted(absent))
        return Table(f"(SELECT {members}{value} AS {quoted(VALUE)}, d AS {quoted(DOCUMENT)} FROM ({documents}))", found)
    structure = _texts(found)
    for path in query.references:
        _add(structure, path)
    members = f"unnest(from_json(d, {text(msgspec.json.encode(structure).decode())})), " if structure else ""
    return Table(f"(SELECT {members}d AS {quoted(VALUE)}, d AS {quoted(DOCUMENT)} FROM ({documents}))", found)


def _stepped(step: Step) -> str:
    if step is None:
        # A wildcard gives one row at least, in which everything is missing.
        elements = "CASE json_type(d) WHEN 'ARRAY' THEN json_extract(d, '$[*]') ELSE [] END"
        return f"unnest(CASE WHEN len({elements}) = 0 THEN [NULL] ELSE {elements} END)"
    return f"json_extract(d, {text('$' + _json_step(step))})"


def _json_step(step: Step) -> str:
    if isinstance(step, str):
        return '."' + step.replace('"', '\\"') + '"'
    return f"[{step}]"


def _texts(structure: Any) -> Any:
    """Return a structure in which what has no type of its own in all documents is a text."""
    if isinstance(structure, dict):
        return {name: _texts(member) for name, member in structure.items()}
    if isinstance(structure, list):
        return [_texts(element) for element in structure]
    return "VARCHAR" if structure == "JSON" else structure


def _known(structure: Mapping[str, Any], name: str) -> str:
    """Return a member's name as the documents spell it."""
    if name in structure:
        return name
    return next((known for known in structure if known.lower() == name.lower()), name)


def _add(structure: Any, path: select_expression.Path) -> None:
    """Add a path to a structure: what no document has is missing from all of them."""
    for number, step in enumerate(path):
        if isinstance(step, int) and isinstance(structure, list):
            structure = structure[0]
        elif isinstance(step, str) and isinstance(structure, dict):
            name = _known(structure, step)
            if structure.get(name, "NULL") == "NULL":
                structure[name] = _shape(path[number + 1 :])
                return
            structure = structure[name]
        else:
            return


def _shape(path: select_expression.Path) -> Any:
    """Return the structure of something that has nothing but a path."""
    if not path:
        return "VARCHAR"
    below = _shape(path[1:])
    return {path[0]: below} if isinstance(path[0], str) else [below]


def _spelled(structure: Any, path: select_expression.Path) -> select_expression.Path:
    """Return a path with the names as the documents spell them."""
    spelled: select_expression.Path = []
    for step in path:
        if isinstance(step, str) and isinstance(structure, dict):
            spelled.append(_known(structure, step))
            structure = structure.get(spelled[-1])
        else:
            spelled.append(step)
            structure = structure[0] if isinstance(structure, list) else None
    return spelled
