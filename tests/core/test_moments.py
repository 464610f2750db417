"""Waiting between attempts: neither a clock that stands nor one that is moved on holds that up."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cloudlet.core.kernel.cloud import Cloud, Config
from cloudlet.core.kernel.timing import back_off
from cloudlet.core.kernel.tokens import TokenSealer
from tests.in_process import MovableClock


@pytest.mark.parametrize(("seconds", "moved"), [(0.01, 0.0), (0.01, -3600.0), (3600.0, 3601.0)])
def test_a_rest_is_over_by_either_clock(tmp_path: Path, seconds: float, moved: float) -> None:
    async def check() -> None:
        clock = MovableClock()
        cloud = Cloud(Config(data=tmp_path, durable=False), TokenSealer(b"k" * 32), clock)
        try:
            resting = asyncio.create_task(back_off(cloud.block("sts"), seconds))
            await asyncio.sleep(0)
            clock.advance(moved)
            await asyncio.wait_for(resting, 10)
        finally:
            await cloud.close()

    asyncio.run(check())
