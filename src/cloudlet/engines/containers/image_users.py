"""Users of an image by their names, as its /etc/passwd and /etc/group have them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from cloudlet.engines.images import ImageError, resolve_path

_MAX_LIST_BYTES: Final = 1 << 20


class User(NamedTuple):
    """The user, group and home that a program has."""

    user: int = 0
    group: int = 0
    groups: tuple[int, ...] = ()
    home: str = "/"


def find(root: Path, said: str) -> User:
    """Return the user that is said as in images: `user`, `user:group`, by names or numbers. Waits for the disk.

    Raises ImageError for one that the image does not know.
    """
    name, _, group = said.partition(":")
    users = [each for each in _read(root, "/etc/passwd") if len(each) >= 6 and each[2].isdecimal()]
    groups = [each for each in _read(root, "/etc/group") if len(each) >= 4 and each[2].isdecimal()]
    known = next((each for each in users if name in (each[0], each[2])), None)
    if known is None and name and not name.isdecimal():
        raise ImageError(f"unable to find user {name}: no matching entries in passwd file")
    number = int(known[2]) if known else int(name or 0)
    if group:
        found = next((each for each in groups if group in (each[0], each[2])), None)
        if found is None and not group.isdecimal():
            raise ImageError(f"unable to find group {group}: no matching entries in group file")
        first = int(found[2] if found else group)
        others: tuple[int, ...] = ()
    else:
        first = int(known[3]) if known and known[3].isdecimal() else 0
        others = tuple(int(each[2]) for each in groups if known and known[0] in each[3].split(","))
    return User(number, first, others, known[5] if known else "/")


def _read(root: Path, name: str) -> Iterator[list[str]]:
    try:
        file = resolve_path(root, name)
        if not file.is_file() or file.stat().st_size > _MAX_LIST_BYTES:
            return
        text = file.read_text(errors="replace")
    except (ImageError, OSError):
        return
    for line in text.splitlines():
        yield line.strip().split(":")
