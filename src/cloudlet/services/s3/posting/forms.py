"""Forms with a file (multipart/form-data), read as they arrive: the fields first, then the file as a stream.

RFC 7578; S3 API reference, "POST Object".
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from email.message import Message

from cloudlet.core import AwsError
from cloudlet.services.s3 import errors

_FIELDS_BYTES = 20 << 10
"""What may precede the file."""
_FIELD_BYTES = 16
"""What a field counts for besides its name and its value, so that there are not thousands of them."""
_FILE = "file"


class Form:
    """A form: its fields by their names in lower case, the file's name, and the file."""

    def __init__(self, fields: dict[str, str], filename: str, reader: _Reader) -> None:
        self.fields = fields
        self.filename = filename
        self._reader = reader

    def file(self) -> AsyncIterator[bytes]:
        """Read the file. Raises AwsError where the form ends before it does."""
        return self._reader.until_boundary()


async def read(body: bytes | AsyncIterator[bytes], content_type: str) -> Form:
    """Read a form up to its file. Raises AwsError."""
    header = Message()
    header["Content-Type"] = content_type
    boundary = header.get_boundary()
    if header.get_content_type() != "multipart/form-data" or not boundary or not boundary.isascii():
        raise AwsError(
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
            status=412,
            Condition="Bucket POST must be of the enclosure-type multipart/form-data",
        )
    reader = _Reader(_pieces(body), boundary.encode())
    fields: dict[str, str] = {}
    size = 0
    await reader.begin()
    while True:
        head = await reader.head()
        if head is None:
            raise errors.invalid_argument("POST requires exactly one file upload per request.", _FILE, 0)
        name, filename = _described(head)
        if name == _FILE:
            return Form(fields, filename, reader)
        value = b"".join([piece async for piece in reader.until_boundary(_FIELDS_BYTES)])
        try:
            fields[name] = value.decode()
        except UnicodeDecodeError:
            raise errors.invalid_argument("A field of the form is not UTF-8.", name, "") from None
        size += len(name) + len(value) + _FIELD_BYTES
        if size > _FIELDS_BYTES:
            raise _too_long()


def _described(head: bytes) -> tuple[str, str]:
    """Return the name of a part in lower case, and its file name."""
    part = Message()
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, separator, value = line.partition(":")
        if separator:
            part[name.strip()] = value.strip()
    field = part.get_param("name", header="content-disposition")
    if not isinstance(field, str):
        raise malformed()
    filename = part.get_param("filename", "", header="content-disposition")
    return field.lower(), filename if isinstance(filename, str) else ""


def malformed() -> AwsError:
    return AwsError(
        "MalformedPOSTRequest",
        "The body of your POST request is not well-formed multipart/form-data.",
        status=400,
    )


def _too_long() -> AwsError:
    return AwsError(
        "MaxPostPreDataLengthExceeded",
        "Your POST request fields preceding the upload file were too large.",
        status=400,
    )


async def _pieces(body: bytes | AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if isinstance(body, bytes):
        yield body
        return
    async for piece in body:
        yield piece


class _Reader:
    """Cuts a body at its boundaries."""

    def __init__(self, pieces: AsyncIterator[bytes], boundary: bytes) -> None:
        self._pieces = pieces
        self._mark = b"\r\n--" + boundary
        self._buffer = bytearray()

    async def _more(self) -> None:
        try:
            self._buffer += await anext(self._pieces)
        except StopAsyncIteration:
            raise malformed() from None

    async def begin(self) -> None:
        """Go to the first boundary; the line's end before it may be missing."""
        self._buffer += b"\r\n"
        async for _ in self.until_boundary(_FIELDS_BYTES):
            pass

    async def head(self) -> bytes | None:
        """Return the headers of the part behind a boundary, None behind the last one."""
        while len(self._buffer) < 2:
            await self._more()
        if self._buffer[:2] == b"--":
            return None
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > _FIELDS_BYTES:
                raise _too_long()
            await self._more()
        head = bytes(self._buffer[2:end])
        del self._buffer[: end + 4]
        return head

    async def until_boundary(self, limit: int | None = None) -> AsyncIterator[bytes]:
        """Read up to the next boundary, which is taken away too. Raises AwsError beyond `limit` bytes."""
        size = 0
        while (at := self._buffer.find(self._mark)) < 0:
            safe = len(self._buffer) - len(self._mark) + 1
            if safe > 0:
                size += safe
                if limit is not None and size > limit:
                    raise _too_long()
                piece = bytes(self._buffer[:safe])
                del self._buffer[:safe]
                yield piece
            await self._more()
        piece = bytes(self._buffer[:at])
        del self._buffer[: at + len(self._mark)]
        if piece:
            yield piece
