"""Every kind of job: an item of one account that fails always holds up no other's, and is done once it can be."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

import pytest

from cloudlet.core.background import jobs
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.cloud import Config
from cloudlet.core.kernel.identity import root
from tests.in_process import InProcess
from tests.jobs.cases import CASES, REGION, Case

_BAD, _GOOD = "111111111111", "222222222222"


class Caller:
    """Calls operations for one account."""

    def __init__(self, cloud: InProcess, account: str) -> None:
        self._cloud = cloud
        self._account = account

    def now(self) -> int:
        """Return the time in milliseconds since the epoch."""
        return int(self._cloud.now * 1000)

    def __call__(self, service: str, operation: str, /, **params: Any) -> dict[str, Any]:
        owner = root(self._account, self._account)
        called = self._cloud.cloud.call(
            service, operation, params, principal=owner, account=self._account, region=REGION
        )
        return dict(self._cloud.run(called) or {})


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[InProcess]:
    cloud = InProcess(Config(data=tmp_path, durable=False))
    yield cloud
    cloud.close()


def _owner_of(function: str) -> tuple[Any, str]:
    """Return the module, or the class, that has a function, and its name there."""
    *path, name = function.split(".")
    found: Any = importlib.import_module(f"cloudlet.services.{path[0]}")
    for number, part in enumerate(path[1:], start=2):
        try:
            found = importlib.import_module(f"cloudlet.services.{'.'.join(path[:number])}")
        except ModuleNotFoundError:
            found = getattr(found, part)
    return found, name


def _shown(argument: Any) -> str:
    if isinstance(argument, Block):
        return ""
    return repr([argument, getattr(argument, "record", None), getattr(argument, "__dict__", None)])


@pytest.mark.parametrize("case", CASES, ids=[case.function for case in CASES])
def test_an_item_that_fails_holds_up_no_other(
    case: Case, cloud: InProcess, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    owner, name = _owner_of(case.function)
    function = getattr(owner, name)
    poisoned = True
    pauses: list[int] = []

    def check(*args: Any, **more: Any) -> None:
        if poisoned and any(_BAD in _shown(arg) for arg in (*args, *more.values())):
            raise ValueError("poison")

    async def poison_awaited(*args: Any, **more: Any) -> Any:
        check(*args, **more)
        return await function(*args, **more)

    def poison(*args: Any, **more: Any) -> Any:
        check(*args, **more)
        return function(*args, **more)

    def done(account: str) -> bool:
        if case.step:
            cloud.advance(case.step)
        return case.is_done(Caller(cloud, account), account)

    monkeypatch.setattr(jobs, "compute_back_off", lambda times, longest: pauses.append(times) or 0.05)
    monkeypatch.setattr(owner, name, poison_awaited if iscoroutinefunction(function) else poison)
    for account in (_BAD, _GOOD):
        case.begin(Caller(cloud, account), account)
    cloud.until(lambda: done(_GOOD))
    cloud.until(lambda: done(_BAD) or 2 in pauses)
    assert not done(_BAD)
    assert "ValueError: poison" in caplog.text
    poisoned = False
    cloud.until(lambda: done(_BAD))
