"""Output of containers: no line is lost, and nobody waits for the disk but what prints."""

from __future__ import annotations

import asyncio
import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cloudlet.engines.containers.output import LogFile, Pump

_LINE = "x" * 99


@contextmanager
def _small_files(size: int) -> Iterator[None]:
    """Have files take no more than some bytes, as where a disk is full: of a write a part is done, then nothing."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _read(path: Path) -> list[str]:
    return [json.loads(line)["l"] for line in path.read_text().splitlines()]


def test_lines_wait_for_room_on_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "log"

    async def scenario() -> None:
        log = LogFile(path, 1 << 20)
        (out_reading, out), (err_reading, err) = os.pipe(), os.pipe()
        pumps = [Pump(out_reading, "stdout", log, lambda: 1.0), Pump(err_reading, "stderr", log, lambda: 1.0)]
        with _small_files(5_000):
            for pipe, letter in ((out, "o"), (err, "e")):
                os.write(pipe, b"".join(b"%b%d%b\n" % (letter.encode(), each, _LINE.encode()) for each in range(100)))
                os.close(pipe)
            async with asyncio.timeout(20):
                while path.stat().st_size < 5_000:
                    await asyncio.sleep(0.01)
            assert not any(pump.ended.done() for pump in pumps)
        async with asyncio.timeout(20):
            await asyncio.gather(*(pump.ended for pump in pumps))
        await log.close()

    asyncio.run(scenario())
    lines = _read(path)
    assert [each for each in lines if each[0] == "o"] == [f"o{each}{_LINE}" for each in range(100)]
    assert [each for each in lines if each[0] == "e"] == [f"e{each}{_LINE}" for each in range(100)]


def test_a_new_file_begins_where_one_has_grown_large(tmp_path: Path) -> None:
    path = tmp_path / "log"

    async def scenario() -> None:
        log = LogFile(path, 1_000)
        for number in range(10):
            await log.write(b'{"l": "%d"}\n' % number * 10)
        await log.close()

    asyncio.run(scenario())
    assert _read(path.with_suffix(".before")) + _read(path) == [str(each) for each in range(4, 10) for _ in range(10)]
