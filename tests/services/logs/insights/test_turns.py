"""Queries compute in turns, and no account has all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from cloudlet.core import Transaction
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.services.logs.insights import queries, running, turns
from cloudlet.services.logs.insights.queries import Place
from tests.services.logs.conftest import ACCOUNT, LocalLogs


async def computing(given: turns.Turns, accounts: str) -> tuple[list[asyncio.Task[None]], Callable[[], None]]:
    """Have queries of accounts compute, until they may end."""
    end = Event()
    return [asyncio.create_task(given.run(account, partial(_wait, end))) for account in accounts], end.set


def _wait(end: Event) -> None:
    end.wait()


def test_an_account_has_half_of_the_turns() -> None:
    async def check() -> None:
        given = turns.Turns()
        tasks, end = await computing(given, "111")
        assert await given.run("2", lambda: "computed") == "computed"
        end()
        await asyncio.gather(*tasks)

    asyncio.run(check())


def test_what_computes_for_long_gives_its_turn_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_LONG_SECONDS", 0.01)

    async def check() -> None:
        given = turns.Turns()
        tasks, end = await computing(given, "1234")
        assert await given.run("5", lambda: "computed") == "computed"
        assert not any(task.done() for task in tasks)
        end()
        await asyncio.gather(*tasks)

    asyncio.run(check())


def test_an_account_runs_two_queries_wherever_they_are(local: LocalLogs) -> None:
    async def check() -> None:
        works = KeyedTasks(local.cloud.block("logs"))

        def may_run(account: str, region: str = "eu-west-1") -> bool:
            return running._may_run(Place(0, account, region, "new"), works)

        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for number in range(turns.MOST_BEGUN):
                assert may_run(str(number // 2), f"r{number}")
                place = Place(number, str(number // 2), f"r{number}", "q")
                works.start(group, place, "a query", over.wait)
                assert may_run(str(number // 2), "another") is (number % 2 == 0)
            assert not may_run("another")
            over.set()

    local.run(check())


def test_others_are_looked_at_behind_many_of_one_account(local: LocalLogs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that wait of an account are no reason not to see those behind them."""
    monkeypatch.setattr(running, "_LOOKED_AT", 3)
    begun: list[str] = []
    never = asyncio.Event()

    async def answer(block: Any, given: Any, query: queries.Query, folder: Path) -> None:
        begun.append(query.account)
        await never.wait()

    monkeypatch.setattr(running, "_answer", answer)

    async def ask(tx: Transaction) -> None:
        for number in range(10):
            account = ACCOUNT if number < 9 else "222222222222"
            made = queries.Query(f"q{number}", account, "r", "limit 1", [], 0, 1, None, local.millis + number, "me")
            queries.create(tx, made)

    local.transact(ask)
    local.until(lambda: len(begun) == 3)
    assert sorted(begun) == [ACCOUNT, ACCOUNT, "222222222222"]
