"""Jobs: what fails is started again, and holds up nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cloudlet.core import jobs
from cloudlet.core.block import Block
from cloudlet.core.cloud import Cloud, Config
from cloudlet.core.lease import Lease
from cloudlet.core.tokens import TokenSealer
from cloudlet.store import StoreError


@asynccontextmanager
async def _block(folder: Path) -> AsyncIterator[Block]:
    cloud = Cloud(Config(data=folder, durable=False), TokenSealer(b"k" * 32))
    try:
        yield cloud.block("sts")
    finally:
        await cloud.close()


def test_a_job_that_fails_is_started_again_and_those_beside_it_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def check() -> None:
        starts = {"fails": 0, "works": 0}
        started_again = asyncio.Event()

        async def fails(block: Block, lease: Lease) -> None:
            starts["fails"] += 1
            if starts["fails"] == 3:
                started_again.set()
                await asyncio.Event().wait()
            raise ValueError("poison")

        async def works(block: Block, lease: Lease) -> None:
            starts["works"] += 1
            await asyncio.Event().wait()

        async with _block(tmp_path) as block:
            running = asyncio.create_task(jobs.side_by_side(block, fails=fails, works=works))
            async with asyncio.timeout(10):
                await started_again.wait()
            assert starts == {"fails": 3, "works": 1}
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running

    asyncio.run(check())
    assert caplog.text.count("the job fails of sts failed") == 2


def test_a_work_that_fails_rests_and_what_the_store_refuses_is_raised(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_LONGEST_PAUSE_SECONDS", 0.0)

    async def check() -> None:
        async with _block(tmp_path) as block:
            async with jobs.contained(block, "one of many"):
                raise ValueError("poison")
            with pytest.raises(StoreError):
                async with jobs.contained(block, "another"):
                    raise StoreError("the disk is full")

    asyncio.run(check())
    assert "sts failed: one of many" in caplog.text
    assert "another" not in caplog.text
