"""What takes longer than the lease lasts keeps it: another process does not do the same meanwhile."""

from __future__ import annotations

import asyncio
import importlib
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core.background.lease import Lease
from cloudlet.core.kernel.cloud import Config
from tests.in_process import InProcess
from tests.jobs.cases import CASES
from tests.jobs.test_poison import Caller

_ACCOUNT = "222222222222"


@pytest.mark.parametrize(
    ("case", "slow"),
    [
        ("events.delivering._deliver", "attempt"),
        ("logs.exporting._some_streams", "_export_stream"),
        ("logs.insights.running._begin", "_answer"),
    ],
)
def test_the_lease_is_held_until_it_is_done(
    case: str, slow: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = False

    async def take_long(*args: Any, **more: Any) -> None:
        nonlocal begun
        begun = True
        await asyncio.Event().wait()

    module = importlib.import_module(f"cloudlet.services.{case.rpartition('.')[0]}")
    monkeypatch.setattr(module, slow, take_long)
    cloud = InProcess(Config(data=tmp_path, durable=False))
    next(each for each in CASES if each.function == case).begin(Caller(cloud, _ACCOUNT), _ACCOUNT)
    cloud.until(lambda: begun)

    async def hold() -> asyncio.Task[None]:
        return asyncio.create_task(Lease(cloud.cloud.block(case.partition(".")[0])).hold())

    other = cloud.run(hold())
    for _ in range(5):
        cloud.advance(4)
    assert not other.done()
    other.cancel()
    cloud.close()
