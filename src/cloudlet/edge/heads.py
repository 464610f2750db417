"""The heads of HTTP/1.1 messages: how a request's is read, and a response's is written."""

from __future__ import annotations

from email.utils import formatdate
from http import HTTPStatus
from typing import Final

from cloudlet.core.kernel.system_clock import wall_time
from cloudlet.wire.http import FileBody, HttpResponse

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
BODILESS: Final = frozenset((204, 304))
"""The statuses whose responses have no body, and say nothing of its length."""

_STATUS_LINES: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}" for status in HTTPStatus if status.value >= 200
}
_ONE_LINE: Final = {ord(char): " " for char in "\r\n\0"}
_LENGTH_LETTERS: Final = len("content-length")
_KNOWN_NAMES_LIMIT: Final = 1000
_HEADER_OVERHEAD: Final = 32

_names: Final[dict[bytes, str]] = {}


class MalformedRequest(Exception):
    """What is no acceptable HTTP: answered with a status and a reason, and hung up on."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def headers_of(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return headers by their names in lower case; the values of a repeated one are joined. Raises Refused."""
    names = _names
    headers = {names.get(name) or _name(name): value.decode("latin-1").strip() for name, value in raw}
    return headers if len(headers) == len(raw) else _joined(raw)


def _name(raw: bytes) -> str:
    """Return a header's name in lower case, and remember the common ones."""
    name = raw.decode("latin-1").lower()
    if len(_names) < _KNOWN_NAMES_LIMIT:
        _names[raw] = name
    return name


def _joined(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return headers of which some are repeated: their values are joined (RFC 9110, 5.2; cookies: RFC 9113, 8.2.3).

    No space comes after the comma, as none does where they are signed.
    """
    headers: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name, value = _name(raw_name), raw_value.decode("latin-1").strip()
        if name in headers:
            if name in ("content-length", "host"):
                raise MalformedRequest(400, f"more than one {name} header")
            value = f"{headers[name]}{'; ' if name == 'cookie' else ','}{value}"
        headers[name] = value
    return headers


def size_of(url: bytes, raw: list[tuple[bytes, bytes]]) -> int:
    """Return how many bytes a request's head takes, or some more."""
    return len(url) + sum(len(name) + len(value) + _HEADER_OVERHEAD for name, value in raw)


def target_of(url: bytes) -> tuple[str, str]:
    """Return the path and the query of a request's target, be it in absolute form (RFC 9112, 3.2.2)."""
    path, _, query = url.decode("latin-1").partition("?")
    if not path.startswith("/"):
        _, separator, rest = path.partition("://")
        path = "/" + (rest.partition("/")[2] if separator else path)
    return path, query


def response_head(response: HttpResponse, keep_alive: bool) -> bytes:
    """Return a response's head, with its body's length, or that it comes in chunks."""
    status = response.status
    lines = [_STATUS_LINES.get(status) or f"HTTP/1.1 {status} Status", _date_header.line()]
    sized = False
    for name, value in response.headers:
        if len(name) == _LENGTH_LETTERS and name.lower() == "content-length":
            sized = True
        line = f"{name}: {value}"
        if "\n" in line or "\r" in line or "\0" in line:
            # What somebody has stored comes back in headers; a line break in it must not begin another one (RFC 9110,
            # section 5.5).
            line = line.translate(_ONE_LINE)
        lines.append(line)
    if not sized:
        body = response.body
        if type(body) is FileBody:
            lines.append(f"content-length: {body.size}")
        elif type(body) is not bytes:
            lines.append("transfer-encoding: chunked")
        elif status not in BODILESS:
            lines.append(f"content-length: {len(body)}")
    if not keep_alive:
        lines.append("connection: close")
    lines.append("\r\n")
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


class _DateHeader:
    """The Date header, worded once a second."""

    __slots__ = ("_line", "_second")

    def __init__(self) -> None:
        self._second = 0
        self._line = ""

    def line(self) -> str:
        second = int(wall_time())
        if second != self._second:
            self._second = second
            self._line = f"date: {formatdate(second, usegmt=True)}"
        return self._line


_date_header: Final = _DateHeader()
