"""The Range header (RFC 9110, 14), as far as S3 knows it: one range of bytes."""

from __future__ import annotations

import re

from cloudlet.core import AwsError

_RANGE = re.compile(r"bytes\s*=\s*(\d{0,20})\s*-\s*(\d{0,20})\s*", re.IGNORECASE)
_COPIED = re.compile(r"bytes=(\d{1,20})-(\d{1,20})")


def requested(header: str | None, size: int) -> tuple[int, int] | None:
    """Return the first byte that is asked for and the one behind the last; None where all are, or it says nothing.

    Raises InvalidRange where the object ends before.
    """
    match = _RANGE.fullmatch(header or "")
    if match is None or match[1] == match[2] == "":
        return None
    if match[1] == "":
        count = int(match[2])
        if count == 0 or size == 0:
            raise _unsatisfiable(header, size)
        return max(0, size - count), size
    start = int(match[1])
    if match[2] and int(match[2]) < start:
        return None
    if start >= size:
        raise _unsatisfiable(header, size)
    return start, min(size, int(match[2]) + 1) if match[2] else size


def _unsatisfiable(header: str | None, size: int) -> AwsError:
    return AwsError(
        "InvalidRange",
        "The requested range is not satisfiable",
        status=416,
        RangeRequested=header,
        ActualObjectSize=str(size),
    )


def copied(header: str, size: int) -> tuple[int, int]:
    """Return the bytes that x-amz-copy-source-range names, as `requested` does. Raises AwsError."""
    match = _COPIED.fullmatch(header)
    if match is None or int(match[2]) < int(match[1]):
        raise AwsError(
            "InvalidArgument",
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
            "zero-based offsets of the first and last bytes to copy",
            status=400,
            ArgumentName="x-amz-copy-source-range",
            ArgumentValue=header,
        )
    start, end = int(match[1]), int(match[2]) + 1
    if end > size:
        raise AwsError(
            "InvalidRange" if start >= size else "InvalidArgument",
            f"Range specified is not valid for source object of size: {size}",
            status=416 if start >= size else 400,
            ArgumentName="x-amz-copy-source-range",
            ArgumentValue=header,
        )
    return start, end
