"""Packages are unpacked into folders that nothing leads out of."""

from __future__ import annotations

import asyncio
import io
import os
import stat
import struct
import threading
import zipfile
from pathlib import Path

import pytest

from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.cloud import Cloud, Config
from cloudlet.core.kernel.identity import root
from cloudlet.core.kernel.tokens import TokenSealer
from cloudlet.services.lambda_.code import unpacking
from cloudlet.services.lambda_.code.unpacking import BadPackage
from tests.in_process import MovableClock, in_block
from tests.services.lambda_.cloud import package, role_of

ACCOUNT, REGION = "111111111111", "eu-west-1"
Entry = tuple[str, int, str]
FILE, LINK = stat.S_IFREG | 0o600, stat.S_IFLNK | 0o777


def zipped(*entries: Entry) -> bytes:
    """Return a package of names, modes and contents."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, mode, content in entries:
            info = zipfile.ZipInfo(name, (2024, 5, 6, 7, 8, 10))
            info.external_attr = mode << 16
            file.writestr(info, content)
    return packed.getvalue()


def unpack(folder: Path, packed: bytes) -> Path:
    """Unpack a package below a folder; return where it is."""
    file, into = folder / "package", folder / "unpacked"
    file.write_bytes(packed)
    unpacking.unpack(file, into)
    return into


def test_files_have_modes_and_times(tmp_path: Path) -> None:
    """Whatever the process's umask is."""
    packed = zipped(
        ("index.py", FILE, "x"), ("bin/run", stat.S_IFREG | 0o711, "y"), ("empty/", 0, ""), ("lib", LINK, "bin")
    )
    before = os.umask(0o077)
    try:
        into = unpack(tmp_path, packed)
    finally:
        os.umask(before)
    assert (into / "lib/run").read_text() == "y"
    names = ("index.py", "bin/run", "bin", "empty", ".")
    modes = [oct(stat.S_IMODE((into / name).stat().st_mode)) for name in names]
    assert modes == ["0o644", "0o755", "0o755", "0o755", "0o755"]
    assert (into / "index.py").stat().st_mtime == 1714979290


@pytest.mark.parametrize(
    "entries",
    [
        [("../x", FILE, "")],
        [("/x", FILE, "")],
        [("a/../../x", FILE, "")],
        [("out", LINK, "/etc")],
        [("out", LINK, "..")],
        [("a/b/up", LINK, "../.."), ("out", LINK, "a/b/up/..")],
        [("loop", LINK, "."), ("loop/x", LINK, "index.py")],
        [("a", FILE, ""), ("a/b", FILE, "")],
        [("a", FILE, ""), ("./a", LINK, "b")],
        [("n" * 300, FILE, "")],
    ],
)
def test_nothing_leads_out(tmp_path: Path, entries: list[Entry]) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    with pytest.raises(BadPackage):
        unpack(folder, zipped(*entries))
    assert [path.name for path in tmp_path.rglob("*")] == ["in", "package"]


@pytest.mark.parametrize("is_large", [False, True])
def test_the_list_of_files_has_a_limit(tmp_path: Path, is_large: bool) -> None:
    """It would be held in memory: here, 400,000 files of one name."""
    packed = zipped(("a", FILE, ""))
    at, end = packed.index(b"PK\x01\x02"), packed.index(b"PK\x05\x06")
    directory = packed[at:end] * 400_000
    size, count, begin = len(directory), 400_000, at
    large = b""
    if is_large:
        large = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, count, count, size, begin)
        large += struct.pack("<IIQI", 0x07064B50, 0, begin + size, 1)
        size, count, begin = 0, 0, 0
    tail = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, count & 0xFFFF, count & 0xFFFF, size, begin, 0)
    with pytest.raises(BadPackage, match="too many files"):
        unpack(tmp_path, packed[:at] + directory + large + tail)


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    """Links come last, so that a file below one makes it a folder, and the link impossible."""
    with pytest.raises(BadPackage):
        unpack(tmp_path, zipped(("a", LINK, "/tmp"), ("a/x", FILE, "")))


def test_a_package_is_unpacked_once_and_removed_when_nobody_needs_it(tmp_path: Path) -> None:
    """The folder outlives the function by the time that an invocation may take."""

    async def run() -> None:
        cloud = Cloud(Config(data=tmp_path, durable=False), TokenSealer(b"k" * 32))
        block = cloud.block("lambda")

        async def call(operation: str, **params: object) -> dict[str, object]:
            return dict(
                await cloud.call("lambda", operation, params, principal=root(ACCOUNT), account=ACCOUNT, region=REGION)
                or {}
            )

        function = {"FunctionName": "f", "Runtime": "python3.13", "Role": role_of(ACCOUNT), "Handler": "index.handler"}
        await call("CreateFunction", **function, Code={"ZipFile": package()})
        (code,) = [name async for names in block.blobs.names(-1) for name in names]
        folders = await asyncio.gather(*(unpacking.unpacked(block, ACCOUNT, code) for _ in range(5)))
        assert len(set(folders)) == 1
        assert (folders[0] / "index.py").read_text().startswith("def handler")
        await call("DeleteFunction", FunctionName="f")
        assert folders[0].exists()
        cloud.clock.set(type(cloud.clock.setting)(ahead=2000.0))
        for _ in range(1000):
            if not folders[0].exists() and not block.blobs.path(code).exists():
                break
            await asyncio.sleep(0.01)
        assert not folders[0].exists()
        assert not block.blobs.path(code).exists()
        await cloud.close()

    asyncio.run(run())


def test_a_package_that_is_used_is_kept(tmp_path: Path) -> None:
    """A sweep removes what nobody refers to, and nothing else."""

    async def run() -> None:
        cloud = Cloud(Config(data=tmp_path, durable=False), TokenSealer(b"k" * 32))
        block = cloud.block("lambda")
        function = {"FunctionName": "f", "Runtime": "python3.13", "Role": role_of(ACCOUNT), "Handler": "index.handler"}
        params = {**function, "Code": {"ZipFile": package()}}
        await cloud.call("lambda", "CreateFunction", params, principal=root(ACCOUNT), account=ACCOUNT, region=REGION)
        (code,) = [name async for names in block.blobs.names(-1) for name in names]
        folder = await unpacking.unpacked(block, ACCOUNT, code)
        orphan = folder.with_name("0" * 32)
        orphan.mkdir()
        earlier = folder.parent.with_name("an-earlier-boot")
        earlier.mkdir()
        await cloud.close()
        clock = MovableClock()
        again = Cloud(Config(data=tmp_path, durable=False), TokenSealer(b"k" * 32), clock)
        again.block("lambda")
        for _ in range(1000):
            if not orphan.exists() and not earlier.exists():
                break
            # What runs yet may read its code for a quarter of an hour.
            clock.advance(60)
            await asyncio.sleep(0.01)
        assert not orphan.exists()
        assert not earlier.exists()
        assert folder.exists()
        await again.close()

    asyncio.run(run())


def test_packages_of_one_account_keep_those_of_others_not_waiting(tmp_path: Path) -> None:
    """What an account has unpacked takes half of the threads at most."""
    begun, goes_on = threading.Semaphore(0), threading.Event()

    def slow(folder: Path) -> None:
        begun.release()
        goes_on.wait()

    async def scenario(block: Block) -> None:
        first = [asyncio.create_task(unpacking.made(block, "1" * 12, f"a{number}", slow)) for number in range(8)]
        for _ in range(2):
            await asyncio.to_thread(begun.acquire)
        try:
            await asyncio.wait_for(unpacking.made(block, "2" * 12, "b", lambda folder: None), 30)
            assert not begun.acquire(blocking=False)
        finally:
            goes_on.set()
        await asyncio.gather(*first)

    in_block("lambda", tmp_path, scenario)
