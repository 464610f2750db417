"""Packages unpacked into folders: what functions and layers run from.

An unpacked package is a copy of what is in the blob, made when it is first wanted and dropped at will. It is not
synced to disk: a folder that was made before the machine was last started is not trusted, and removed.
"""

from __future__ import annotations

import asyncio
import calendar
import os
import shutil
import stat
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from lzma import LZMAError
from pathlib import Path
from weakref import WeakValueDictionary
from zipfile import BadZipFile, ZipFile, ZipInfo

from cloudlet.core.background.fair_semaphore import FairSemaphore
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import uuid4
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.core.kernel.system_clock import wall_time

_FRESH = ".fresh-"
_LOADED = wall_time()
"""What was begun before that and not finished, this process has not begun."""
_PIECE = 1 << 20
_LINK_BYTES = 4096
_LONGEST_PATH = 1024
_MOST_DIRECTORY_BYTES = 16 << 20
"""So much of a package may be the list of its files, which is about a hundred bytes for each."""
_ZIP64_BYTES = 76
_LONGEST_END = 22 + 0xFFFF + _ZIP64_BYTES
_EARLIEST = calendar.timegm((1980, 1, 1, 0, 0, 0))
BROKEN = (BadZipFile, zlib.error, LZMAError, EOFError, NotImplementedError, RuntimeError, ValueError, OverflowError)
"""What Python raises for ZIP files that are none, are damaged, encrypted, or compressed in unknown ways."""
_AT_ONCE = 4
_executor = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="unpacking")
"""An image may take minutes: others who wait for the disk have threads of their own."""
_PLACES: PerBlock[FairSemaphore] = PerBlock(lambda _: FairSemaphore(_AT_ONCE, _AT_ONCE // 2))
_unpacking: WeakValueDictionary[Path, asyncio.Lock] = WeakValueDictionary()


class BadPackage(Exception):
    """The package cannot be unpacked."""


@cache
def _boot() -> str:
    """Return what tells this run of the machine from all others; where that is not known, this process."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return uuid4()


def _root(block: Block) -> Path:
    return block.cloud.config.data / "unpacked" / block.service.name / _boot()


async def unpacked(block: Block, account: str, code: str) -> Path:
    """Return the folder that has the files of an account's package, by the name of its blob. Raises BadPackage.

    Files are 0644, or 0755 where the package says that they can be run, and folders 0755. Whoever runs them must not
    be able to write to them.
    """
    return await made(block, account, code, lambda folder: unpack(block.blobs.path(code), folder))


def find(block: Block, code: str) -> Path | None:
    """Return the folder of what is unpacked; None where it is not."""
    folder = _root(block) / code
    return folder if folder.exists() else None


def make_fresh_folder(block: Block) -> Path:
    """Return a new folder for what is needed while something is unpacked. Waits for the disk."""
    folder = _root(block) / f"{_FRESH}{uuid4()}"
    folder.mkdir(parents=True)
    return folder


async def made(block: Block, account: str, code: str, unpack: Callable[[Path], None]) -> Path:
    """Return the folder of a package or an image; `unpack` makes it, all of it or nothing, where it is missing."""
    folder = _root(block) / code
    if folder.exists():
        return folder
    lock = _unpacking.setdefault(folder, asyncio.Lock())
    # Accounts may share an image: who waits for a place does not keep others from unpacking it.
    async with _PLACES.get(block).hold(account), lock:
        if not folder.exists():
            try:
                await asyncio.get_running_loop().run_in_executor(_executor, unpack, folder)
            except OSError:
                # Another process that shares the data folder may have been quicker.
                if not folder.exists():
                    raise
    return folder


async def remove(block: Block, code: str) -> None:
    """Remove the folder of a package, if there is one."""
    await asyncio.to_thread(shutil.rmtree, _root(block) / code, True)


async def present(block: Block) -> list[str]:
    """Return the packages that are unpacked, by the names of their blobs."""
    root = _root(block)
    return await asyncio.to_thread(
        lambda: [entry.name for entry in root.glob("*") if not entry.name.startswith(_FRESH)]
    )


async def forget_earlier_boots(block: Block) -> None:
    """Remove what was unpacked before the machine was last started, and what was not finished."""

    def forget() -> None:
        root = _root(block)
        for folder in root.parent.glob("*"):
            if folder != root:
                shutil.rmtree(folder, ignore_errors=True)
        for folder in root.glob(f"{_FRESH}*"):
            with suppress(FileNotFoundError):
                if folder.stat().st_mtime < _LOADED:
                    shutil.rmtree(folder, ignore_errors=True)

    await asyncio.to_thread(forget)


def check(file: Path, limit: int) -> int:
    """Return how large (bytes) the files of a package are together. Raises BadPackage, and TooLarge beyond a limit.

    Waits for the disk.
    """
    with _opened(file) as package:
        size = sum(info.file_size for info in package.infolist())
        if size > limit:
            raise TooLarge
        for info in package.infolist():
            _parts(info)
        return size


class TooLarge(Exception):
    """The files of a package are too large together."""


def _opened(file: Path) -> ZipFile:
    if _directory_bytes(file) > _MOST_DIRECTORY_BYTES:
        raise BadPackage("there are too many files in the package")
    try:
        return ZipFile(file)
    except BROKEN as error:
        raise BadPackage(str(error)) from None


def _directory_bytes(file: Path) -> int:
    """Return how large the list of files in a package says that it is: all of it is read into memory.

    APPNOTE.TXT of PKWARE, 4.3.14 "Zip64 end of central directory record" and 4.3.16.
    """
    with file.open("rb") as package:
        package.seek(max(0, file.stat().st_size - _LONGEST_END))
        end = package.read()
    at = end.rfind(b"PK\x05\x06")
    if at < 0:
        return 0
    size = int.from_bytes(end[at + 12 : at + 16], "little")
    large = end[max(0, at - _ZIP64_BYTES) : at]
    if large.startswith(b"PK\x06\x06"):
        size = int.from_bytes(large[40:48], "little")
    return size


def unpack(file: Path, folder: Path) -> None:
    """Unpack a ZIP file into a folder that is not there yet, all of it or nothing. Raises BadPackage.

    Waits for the disk.
    """
    fresh = folder.with_name(f"{_FRESH}{uuid4()}")
    fresh.mkdir(parents=True)
    fresh.chmod(0o755)
    try:
        with _opened(file) as package:
            _extract(package, fresh)
        fresh.rename(folder)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def _extract(package: ZipFile, root: Path) -> None:
    try:
        times = _write_files(package, root)
        _write_links(package, root)
    except (*BROKEN, FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise BadPackage(str(error)) from None
    # Folders change while files are written to them, so that theirs comes last.
    for path, modified in times.items():
        os.utime(path, (modified, modified))


def _write_files(package: ZipFile, root: Path) -> dict[Path, float]:
    """Write files and folders; return when the folders were modified."""
    times: dict[Path, float] = {}
    for info in package.infolist():
        if _is_link(info):
            continue
        path = root.joinpath(*_parts(info))
        if info.is_dir():
            _make_folder(path, root)
            times[path] = _modified(info)
        else:
            _make_folder(path.parent, root)
            _write_file(package, info, path)
    return times


def _write_file(package: ZipFile, info: ZipInfo, path: Path) -> None:
    # There may be many: what is asked of the system for each is little.
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        with package.open(info) as source:
            while piece := source.read(_PIECE):
                view = memoryview(piece)
                while view:
                    view = view[os.write(file, view) :]
        os.fchmod(file, 0o755 if info.external_attr >> 16 & 0o111 else 0o644)
        modified = _modified(info)
        os.utime(file, (modified, modified))
    finally:
        os.close(file)


def _make_folder(folder: Path, root: Path) -> None:
    if folder != root and not folder.is_dir():
        _make_folder(folder.parent, root)
        folder.mkdir()
        folder.chmod(0o755)


def _write_links(package: ZipFile, root: Path) -> None:
    """Make symbolic links, once all files are there, so that nothing is written through one; none leads out."""
    links: list[Path] = []
    for info in package.infolist():
        if not _is_link(info):
            continue
        path = root.joinpath(*_parts(info))
        if any(parent.is_symlink() for parent in _parents(path, root)):
            raise BadPackage(f"{info.filename} is below a symbolic link")
        if info.file_size > _LINK_BYTES:
            raise BadPackage(f"{info.filename} is no symbolic link")
        _make_folder(path.parent, root)
        path.symlink_to(package.read(info).decode())
        links.append(path)
    inside = Path(os.path.realpath(root))
    for path in links:
        if not Path(os.path.realpath(path)).is_relative_to(inside):
            raise BadPackage(f"{path.relative_to(root)} leads out of the package")


def _parents(path: Path, root: Path) -> Iterator[Path]:
    for parent in path.parents:
        if parent == root:
            return
        yield parent


def _is_link(info: ZipInfo) -> bool:
    return stat.S_ISLNK(info.external_attr >> 16)


def _parts(info: ZipInfo) -> list[str]:
    """Return the names of a file's folders and its own. Raises BadPackage for what would be elsewhere."""
    name = info.filename
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or "\0" in name or len(name.encode()) > _LONGEST_PATH:
        raise BadPackage(f"{name!r} is no name of a file in a package")
    if any(len(part.encode()) > 255 for part in parts) or (not parts and not info.is_dir()):
        raise BadPackage(f"{name!r} is no name of a file")
    return parts


def _modified(info: ZipInfo) -> float:
    """Return when a file was modified; packages know no time zones, and it is taken for UTC."""
    try:
        return max(calendar.timegm((*info.date_time, 0, 0, 0)), _EARLIEST)
    except (ValueError, OverflowError):
        return _EARLIEST
