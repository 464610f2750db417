"""What S3 Select's queries read: an object as files that DuckDB can read within its memory.

API reference, "InputSerialization" and "ScanRange"; user guide, "Querying data in place with Amazon S3 Select"
("Requirements and limits").
"""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cloudlet.core import AwsError
from cloudlet.services.s3 import errors
from cloudlet.services.s3.querying import nesting, select_source

LONGEST_RECORD = 1 << 20
TOO_LONG = "OverMaxRecordSize"
_READ_BYTES = 256 * 1024
_PART_BYTES = 4 << 20
"""DuckDB reads 2,048 documents at once, however long they are, but of one file only."""
_DEEPEST = 200
_MOST_BYTES = 8 << 30
"""Of an object that is decompressed: a small one can stand for more than any disk has."""


def too_long() -> AwsError:
    """The error of a record that is too long, read or written."""
    message = "The length of a record in the input or result is greater than the maxCharsPerRecord limit of 1 MB."
    return AwsError(TOO_LONG, message, status=400)


def prepare(stored: Path, target: Path, source: Mapping[str, Any], asked: Mapping[str, Any] | None, size: int) -> int:
    """Turn an object of a size, as it is stored, into what is read: a file, of JSON a folder with files.

    Return how many bytes that is. Raises AwsError and OSError.
    """
    if source.get("CompressionType", "NONE") != "NONE":
        plain = stored.with_name("decompressed")
        _decompress(stored, plain, source)
    elif asked is not None:
        plain = stored.with_name("cut")
        _cut(stored, plain, source, asked, size)
    else:
        plain = stored
    processed = plain.stat().st_size
    if "JSON" in source:
        _check_depth(plain)
        target.mkdir()
        _split(plain, target, is_lines=source["JSON"].get("Type") == "LINES")
        plain.unlink()
    else:
        plain.rename(target)
    return processed


def _decompress(stored: Path, target: Path, source: Mapping[str, Any]) -> None:
    try:
        with select_source.opened(stored, source) as packed, target.open("wb") as sink:
            while piece := packed.read(_READ_BYTES):
                sink.write(piece)
                if sink.tell() > _MOST_BYTES:
                    raise errors.not_implemented(f"queries over objects of more than {_MOST_BYTES} bytes decompressed")
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno is not None:
            # It is the disk, and not what was read.
            raise
        name = source["CompressionType"]
        message = f"{name} is not applicable to the queried object. Please correct the request and try again."
        raise AwsError("InvalidCompressionFormat", message, status=400) from error
    finally:
        stored.unlink()


def _cut(stored: Path, target: Path, source: Mapping[str, Any], asked: Mapping[str, Any], size: int) -> None:
    """Keep the records that begin within the range, and the line with the names of the columns."""
    start, end = asked.get("Start"), asked.get("End")
    if start is None:
        # Without a start, so many bytes from the end.
        start, end = max(0, size - (end or 0)), size - 1
    if start >= size or (end is not None and end < start):
        raise AwsError("InvalidScanRange", "The value of a parameter in ScanRange element is invalid.", status=400)
    last = size - 1 if end is None else end
    form = source.get("CSV")
    named = form is not None and form.get("FileHeaderInfo", "NONE") != "NONE"
    with stored.open("rb") as lines, target.open("wb") as sink:
        if named:
            sink.write(lines.readline())
        if start > lines.tell():
            lines.seek(start - 1)
            lines.readline()
        while lines.tell() <= last and (line := lines.readline()):
            sink.write(line)
    stored.unlink()


def _check_depth(file: Path) -> None:
    with file.open("rb") as source:
        if nesting.is_deeper(source, _DEEPEST):
            message = f"Error parsing JSON file: it is nested more than {_DEEPEST} times."
            raise AwsError("JSONParsingError", message, status=400)


def _split(file: Path, folder: Path, *, is_lines: bool) -> None:
    """Put JSON documents into files of some megabytes, as far as they end where lines do."""
    number, levels = 0, 0
    with file.open("rb") as source:
        while source.peek(1):
            with (folder / f"{number:08}").open("wb") as sink:
                while part := source.read(_PART_BYTES):
                    part += source.readline(LONGEST_RECORD + 1)
                    sink.write(part)
                    if is_lines:
                        if max(map(len, part.split(b"\n"))) > LONGEST_RECORD:
                            raise too_long()
                        break
                    levels += nesting.unclosed(part)
                    begun = source.tell()
                    while levels > 0 and source.tell() - begun < LONGEST_RECORD and part.endswith(b"\n"):
                        part = source.readline(LONGEST_RECORD + 1)
                        sink.write(part)
                        levels += nesting.unclosed(part)
                    if not part.endswith(b"\n"):
                        # What follows may begin within a string.
                        shutil.copyfileobj(source, sink)
                    elif levels == 0:
                        break
            number += 1
    if not number:
        (folder / f"{number:08}").touch()
