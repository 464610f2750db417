"""Archives as layers are: ustar, with the extensions of pax and of GNU for long names and large numbers.

pax(1), "ustar Interchange Format" and "pax Interchange Format"; GNU tar, "Basic Tar Format". Python's own module keeps
headers of any size, and all members, in memory. An archive is read once, in its order.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from cloudlet.engines.images.documents import ImageError

_BLOCK = 512
_EXTENSION_BYTES = 1 << 20
"""So large may be what comes before a header: a long name, or pax's records."""
_LENGTH_DIGITS = 20
_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL = b"L", b"K", b"x", b"g"


class Kind(Enum):
    """What an entry is."""

    FILE = b"0"
    HARD_LINK = b"1"
    SYMBOLIC_LINK = b"2"
    CHARACTER_DEVICE = b"3"
    BLOCK_DEVICE = b"4"
    FOLDER = b"5"
    PIPE = b"6"


class Entry(NamedTuple):
    """What is in an archive. `modified` is in seconds since the epoch, `size` in bytes."""

    name: str
    kind: Kind
    size: int
    mode: int
    modified: float
    target: str
    """Where a link leads."""
    user: int = 0
    group: int = 0


class Archive:
    """Gives the entries of an archive, and of each its content before the next one."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._held = memoryview(b"")
        self._left = 0
        """Of the present entry's content."""
        self._padding = 0

    def __iter__(self) -> Iterator[Entry]:
        """Raises ImageError."""
        records: dict[str, str] = {}
        while (header := self._header()) is not None:
            flag, size = header[156:157], _number(header[124:136])
            if flag == _PAX_GLOBAL:
                self._extension(size)
            elif flag == _PAX:
                records |= _records(self._extension(size))
            elif flag in (_LONG_NAME, _LONG_LINK):
                text = self._extension(size).split(b"\0", 1)[0]
                records["path" if flag == _LONG_NAME else "linkpath"] = _text(text)
            else:
                entry = _entry(header, records)
                records = {}
                self._left, self._padding = entry.size, -entry.size % _BLOCK
                yield entry
                for _ in self.content():
                    pass
                self._read(self._padding)

    def content(self) -> Iterator[memoryview]:
        """Give what is left of the present entry's content. Raises ImageError."""
        while self._left:
            piece = self._some(self._left)
            if not piece:
                raise _broken()
            self._left -= len(piece)
            yield piece

    def _header(self) -> bytes | None:
        """Return the next header, None at the end."""
        header = self._read(_BLOCK, is_end_allowed=True)
        if not header or not any(header):
            return None
        if _number(header[148:156]) != sum(header[:148]) + sum(header[156:]) + 8 * ord(" "):
            raise _broken()
        return header

    def _extension(self, size: int) -> bytes:
        if not 0 <= size <= _EXTENSION_BYTES:
            raise ImageError(f"the name of a file, or what else is said of it, is larger than {_EXTENSION_BYTES} bytes")
        content = self._read(size)
        self._read(-size % _BLOCK)
        return content

    def _read(self, count: int, *, is_end_allowed: bool = False) -> bytes:
        parts = []
        left = count
        while left and (piece := self._some(left)):
            parts.append(bytes(piece))
            left -= len(piece)
        if left and not (is_end_allowed and left == count):
            raise _broken()
        return b"".join(parts)

    def _some(self, most: int) -> memoryview:
        """Return some bytes, none only at the end."""
        while not self._held:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._held = memoryview(piece)
        taken, self._held = self._held[:most], self._held[most:]
        return taken


def _broken() -> ImageError:
    return ImageError("a layer is no tar archive, or breaks off")


def _entry(header: bytes, records: dict[str, str]) -> Entry:
    if header[156:157] == b"S" or any(name.startswith("GNU.sparse.") for name in records):
        raise ImageError("files with holes are not known in layers")
    name = records.get("path") or _name(header)
    flag = header[156:157]
    if flag in (b"\0", b"7"):
        flag = b"5" if name.endswith("/") else b"0"
    try:
        kind = Kind(flag)
        size = int(records["size"]) if "size" in records else _number(header[124:136])
        modified = float(records["mtime"]) if "mtime" in records else float(_number(header[136:148]))
        user = int(records["uid"]) if "uid" in records else _number(header[108:116])
        group = int(records["gid"]) if "gid" in records else _number(header[116:124])
    except ValueError:
        raise _broken() from None
    if size < 0:
        raise _broken()
    target = records.get("linkpath") or _text(_field(header[157:257]))
    held = size if kind is Kind.FILE else 0
    return Entry(name, kind, held, _number(header[100:108]), modified, target, user, group)


def _name(header: bytes) -> str:
    name = _field(header[:100])
    # GNU's own format has something else where the standard's has the beginning of a long name.
    prefix = _field(header[345:500]) if header[257:263] == b"ustar\0" else b""
    return _text(prefix + b"/" + name if prefix else name)


def _field(raw: bytes) -> bytes:
    return raw.split(b"\0", 1)[0]


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _number(raw: bytes) -> int:
    """Return the number in a field: octal, or as GNU writes large ones. Raises ImageError."""
    if raw[0] & 0x80:
        return int.from_bytes(raw[1:]) if raw[0] == 0x80 else int.from_bytes(raw, signed=True)
    try:
        return int(raw.strip(b" \0") or b"0", 8)
    except ValueError:
        raise _broken() from None


def _records(content: bytes) -> dict[str, str]:
    """Return pax's records, each of which is its length, a space, a name, `=`, a value and a line break."""
    found: dict[str, str] = {}
    begin = 0
    while begin < len(content):
        space = content.find(b" ", begin, begin + _LENGTH_DIGITS)
        digits = content[begin:space] if space > begin else b""
        end = begin + int(digits) if digits.isdigit() else begin
        if end <= space + 1 or end > len(content) or content[end - 1 : end] != b"\n":
            raise _broken()
        name, _, value = content[space + 1 : end - 1].partition(b"=")
        found[_text(name)] = _text(value)
        begin = end
    return found
