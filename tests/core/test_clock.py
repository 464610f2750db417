"""The clock that can be moved."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from cloudlet.core.kernel.clock_setting import Setting, advance, freeze, load, resume, save
from cloudlet.core.kernel.system_clock import SystemClock, time_by


def test_it_runs_with_the_systems_until_it_is_moved() -> None:
    clock = SystemClock()
    assert clock.now() == pytest.approx(time.time(), abs=1)
    clock.set(Setting(ahead=3600))
    assert clock.now() == pytest.approx(time.time() + 3600, abs=1)


def test_it_stands_goes_on_from_there_and_jumps() -> None:
    setting = freeze(Setting(), at=1000.0)
    assert SystemClock(setting).now() == 1000
    setting = advance(setting, 500)
    assert SystemClock(setting).now() == 1500
    setting = resume(setting)
    assert SystemClock(setting).now() == pytest.approx(1500, abs=1)
    assert setting.frozen is None
    assert SystemClock(advance(setting, 100)).now() == pytest.approx(1600, abs=1)
    assert SystemClock(freeze(setting, time_by(setting))).now() == pytest.approx(1500, abs=1)
    assert resume(setting) == setting


def test_timers_follow_it() -> None:
    async def main() -> None:
        clock = SystemClock(Setting(frozen=1000.0))
        called: list[str] = []
        clock.call_at(1010, lambda: called.append("first"))
        clock.call_at(1020, lambda: called.append("second"))
        clock.call_at(1015, lambda: called.append("cancelled"))()
        clock.call_at(999, lambda: called.append("past"))
        await asyncio.sleep(0)
        assert called == ["past"]
        clock.set(Setting(frozen=1010.0))
        await asyncio.sleep(0)
        assert called == ["past", "first"]
        clock.set(Setting(ahead=1019.999 - time.time()))
        async with asyncio.timeout(5):
            while "second" not in called:
                await asyncio.sleep(0)
        assert called == ["past", "first", "second"]

    asyncio.run(main())


def _jump(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Set the system's clock."""
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + seconds)


def test_what_is_due_in_an_hour_comes_when_the_machine_has_slept_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        clock = SystemClock()
        called = asyncio.Event()
        clock.call_at(clock.now() + 3600, called.set)
        _jump(monkeypatch, 3600)
        async with asyncio.timeout(10):
            await called.wait()

    asyncio.run(main())


def test_nothing_comes_too_early_where_the_system_s_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        clock = SystemClock()
        called: list[str] = []
        due = clock.now() + 0.05
        clock.call_at(due, lambda: called.append("late"))
        passed = asyncio.Event()
        asyncio.get_running_loop().call_later(0.1, passed.set)
        with monkeypatch.context() as back:
            _jump(back, -3600)
            await passed.wait()
            assert not called
        async with asyncio.timeout(10):
            while not called:
                await asyncio.sleep(0.01)

    asyncio.run(main())


def test_its_setting_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "clock.json"
    assert load(file) == Setting()
    save(file, Setting(1.5, 1000.0))
    assert load(file) == Setting(1.5, 1000.0)
