"""The files of an image while its layers are put over one another. Image specification, "Filesystem Layers".

Whatever a layer says, and wherever the links of the layers below lead, what is written is below the root: links are
followed as if that were `/`.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from cloudlet.engines.images.documents import ImageError
from cloudlet.engines.images.tar import Entry, Kind

_MOST_LINKS = 40
_MOST_STEPS = 1000
_DEEPEST = 255
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
_AUFS = ".wh..wh."
"""So begins what AUFS keeps for itself, which Docker has put into layers."""
_PERMISSIONS = 0o777
_ALL_PERMISSIONS = 0o7777
_LATEST = float(1 << 33)
_BY_NAMES = (
    errno.EEXIST,
    errno.EINVAL,
    errno.EILSEQ,
    errno.EISDIR,
    errno.ELOOP,
    errno.EMLINK,
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EPERM,
)
"""What the system says of names, and of links, that cannot be: not of the disk."""


def resolve_path(root: Path, name: str) -> Path:
    """Return the file that a program with a root would find by a name; there may be none. Raises ImageError."""
    if "\0" in name:
        raise ImageError(f"{name[:200]!r} is no name of a file")
    found = root
    links = steps = 0
    ahead = _parts(name)[::-1]
    while ahead:
        part = ahead.pop()
        steps += 1
        if part == "..":
            found = root if found == root else found.parent
            continue
        target = _link(found / part)
        if target is None:
            found /= part
            continue
        links += 1
        if links > _MOST_LINKS or steps > _MOST_STEPS:
            raise ImageError(f"there are too many links on the way to {name[:200]!r}")
        if target.startswith("/"):
            found = root
        ahead += _parts(target)[::-1]
    return found


def _parts(name: str) -> list[str]:
    return [part for part in name.split("/") if part not in ("", ".")]


def _link(path: Path) -> str | None:
    """Return where a link leads, None for what is none."""
    try:
        return os.readlink(path)  # noqa: PTH115 - as it is written
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENAMETOOLONG, errno.ENOENT, errno.ENOTDIR):
            return None
        raise


Owners = Callable[[int], int]
"""A function that returns the machine's id of a user or group of an image."""


class Tree:
    """A root, and the layer that is being put over what is there."""

    def __init__(self, root: Path, owners: Owners | None = None) -> None:
        """`owners` says whose files are to be.

        Without it they are this process's, and set-user-id bits are left out.
        """
        self._root = root
        self._owners = owners
        self._permissions = _PERMISSIONS if owners is None else _ALL_PERMISSIONS
        self._made: set[Path] = set()
        """What is of this layer, or was: its whiteouts are about what is below."""
        self._emptied: set[Path] = set()
        """The folders that have nothing from below any more."""
        self._folders: dict[str, Path] = {}
        """Folders by the names that the layer gives them, as long as no link changes."""
        self._times: dict[Path, float] = {}

    def add(self, entry: Entry, content: Iterator[memoryview]) -> None:
        """Make what an entry says. Raises ImageError, OSError."""
        try:
            self._add(entry, content)
        except OSError as error:
            if error.errno not in _BY_NAMES:
                raise
            raise ImageError(f"{entry.name[:200]!r} cannot be made: {error.strerror}") from None

    def _add(self, entry: Entry, content: Iterator[memoryview]) -> None:
        parts = _parts(entry.name)
        if ".." in parts or "\0" in entry.name + entry.target:
            raise ImageError(f"{entry.name[:200]!r} is no name of a file in a layer")
        if not parts:
            if entry.kind is Kind.FOLDER:
                self._make_folder(self._root, entry)
            return
        if parts[-1] != _OPAQUE and any(part.startswith(_AUFS) for part in parts):
            return
        if any(part.startswith(_WHITEOUT) for part in parts[:-1]):
            raise ImageError(f"{entry.name[:200]!r} is below what hides a file")
        parent = self._folder(parts[:-1])
        name = parts[-1]
        if name == _OPAQUE:
            self._empty(parent)
        elif name.startswith(_WHITEOUT):
            self._hide(parent, name.removeprefix(_WHITEOUT))
        else:
            self._make(parent / name, entry, content)

    def _folder(self, parts: list[str]) -> Path:
        name = "/".join(parts)
        found = self._folders.get(name)
        if found is None:
            found = self._folders[name] = resolve_path(self._root, name)
            self._make_parents(found)
        return found

    def _make_parents(self, folder: Path) -> None:
        names = folder.relative_to(self._root).parts
        if len(names) > _DEEPEST:
            raise ImageError(f"folders are nested more than {_DEEPEST} deep")
        path = self._root
        for name in names:
            path /= name
            if not path.is_dir():
                path.mkdir()
                path.chmod(0o755)
                self._give(path, 0, 0)
            self._made.add(path)

    def _make(self, path: Path, entry: Entry, content: Iterator[memoryview]) -> None:
        if entry.kind is Kind.FOLDER:
            self._make_folder(path, entry)
        elif entry.kind is Kind.FILE:
            self._remove(path)
            self._write(path, entry, content)
        elif entry.kind is Kind.SYMBOLIC_LINK:
            self._remove(path)
            path.symlink_to(entry.target)
            self._give(path, entry.user, entry.group)
            self._folders.clear()
            os.utime(path, (_time(entry), _time(entry)), follow_symlinks=False)
        elif entry.kind is Kind.HARD_LINK:
            self._link(path, entry)
        else:
            # Devices and pipes are not the image's, but the sandbox's.
            return
        if entry.kind is not Kind.FOLDER:
            self._times.pop(path, None)
        self._made.add(path)

    def _make_folder(self, path: Path, entry: Entry) -> None:
        if path.is_symlink() or not path.is_dir():
            self._remove(path)
            path.mkdir()
        self._give(path, entry.user, entry.group)
        path.chmod(entry.mode & self._permissions | 0o700)
        self._times[path] = _time(entry)

    def _write(self, path: Path, entry: Entry, content: Iterator[memoryview]) -> None:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            for piece in content:
                while piece:
                    piece = piece[os.write(file, piece) :]
            if self._owners is not None:
                os.fchown(file, self._owners(entry.user), self._owners(entry.group))
            os.fchmod(file, entry.mode & self._permissions | 0o400)
            os.utime(file, (_time(entry), _time(entry)))
        finally:
            os.close(file)

    def _give(self, path: Path, user: int, group: int) -> None:
        if self._owners is not None:
            os.chown(path, self._owners(user), self._owners(group), follow_symlinks=False)

    def _link(self, path: Path, entry: Entry) -> None:
        parts = _parts(entry.target)
        if not parts or ".." in parts:
            raise ImageError(f"{entry.target[:200]!r} is no name of a file in a layer")
        # A link to a symbolic link is to that itself.
        source = resolve_path(self._root, "/".join(parts[:-1])) / parts[-1]
        if source == path:
            return
        if not source.is_symlink() and not source.is_file():
            raise ImageError(f"the link {entry.name[:200]!r} leads to no file")
        self._remove(path)
        os.link(source, path, follow_symlinks=False)

    def _hide(self, parent: Path, name: str) -> None:
        """Take away what the layers below have of a name."""
        if name in ("", ".", ".."):
            raise ImageError("a layer hides what has no name")
        path = parent / name
        if path not in self._made:
            self._remove(path)
        elif path.is_dir() and not path.is_symlink():
            self._empty(path)

    def _empty(self, folder: Path) -> None:
        """Take away what the layers below have in a folder."""
        if folder in self._emptied:
            return
        self._emptied.add(folder)
        for path in [Path(each.path) for each in os.scandir(folder)]:
            if path not in self._made:
                self._remove(path)
            elif path.is_dir() and not path.is_symlink():
                self._empty(path)

    def _remove(self, path: Path) -> None:
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            return
        if stat.S_ISDIR(mode):
            shutil.rmtree(path)
        else:
            path.unlink()
        if not stat.S_ISREG(mode):
            self._folders.clear()

    def finish(self) -> None:
        """End the layer. Folders have changed while files were written to them, so that their times come last."""
        known = {self._root}
        for path, modified in self._times.items():
            # A link, which may lead anywhere, may have taken its place, or that of a folder above it.
            if self._is_folder(path, known):
                os.utime(path, (modified, modified))
        self._made.clear()
        self._emptied.clear()
        self._folders.clear()
        self._times.clear()

    def _is_folder(self, path: Path, known: set[Path]) -> bool:
        """Whether there is a folder, by way of folders alone; `known` are those of which that is known."""
        above = [each for each in path.parents if each.is_relative_to(self._root)]
        for folder in (*reversed(above), path):
            if folder in known:
                continue
            try:
                mode = folder.lstat().st_mode
            except FileNotFoundError:
                return False
            if not stat.S_ISDIR(mode):
                return False
            known.add(folder)
        return True


def _time(entry: Entry) -> float:
    # Also for what is no number at all.
    return entry.modified if 0 <= entry.modified <= _LATEST else 0.0
