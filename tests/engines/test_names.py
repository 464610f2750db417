"""Host names: one that is slow to find holds up no other, and who gives up holds up nobody."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from cloudlet.engines.resolver import Resolver


class SystemResolver:
    """Stands in for the system's: names ending in .slow are not found until it is told to."""

    def __init__(self) -> None:
        self.told = threading.Event()
        self.asked: list[str] = []

    def __call__(self, host: str, *_: Any, **__: Any) -> list[Any]:
        self.asked.append(host)
        if host.endswith(".slow"):
            self.told.wait(30)
            raise socket.gaierror(socket.EAI_AGAIN, "try again")
        return [(socket.AF_INET6, 0, 0, "", ("::1", 0, 0, 0)), (socket.AF_INET, 0, 0, "", ("127.0.0.1", 0))]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[SystemResolver]:
    resolver = SystemResolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    yield resolver
    resolver.told.set()


def test_slow_names_hold_up_no_other_and_are_asked_for_once(resolver: SystemResolver) -> None:
    async def ask() -> list[str]:
        names = Resolver()
        slow = [asyncio.create_task(names.addresses(f"{number % 10}.slow")) for number in range(100)]
        await asyncio.sleep(0)
        slow[0].cancel()
        found = await asyncio.wait_for(names.addresses("quick.test"), 10)
        resolver.told.set()
        failed = await asyncio.gather(*slow, return_exceptions=True)
        assert [type(error) for error in failed] == [asyncio.CancelledError, *[socket.gaierror] * 99]
        return found

    assert asyncio.run(ask()) == ["::1", "127.0.0.1"]
    assert sorted(resolver.asked) == sorted([*(f"{number}.slow" for number in range(10)), "quick.test"])


def test_a_name_is_asked_for_anew_each_time(resolver: SystemResolver) -> None:
    async def ask() -> None:
        names = Resolver()
        for _ in range(2):
            await names.addresses("quick.test")

    asyncio.run(ask())
    assert resolver.asked == ["quick.test"] * 2


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "fe80::1%lo"])
def test_an_address_needs_no_looking_up(resolver: SystemResolver, address: str) -> None:
    assert asyncio.run(Resolver().addresses(address)) == [address]
    assert resolver.asked == []


@pytest.mark.parametrize("name", ["localhost", "abc.lambda-url.us-east-1.localhost"])
def test_names_below_localhost_are_this_machine_whatever_the_resolver_says(resolver: SystemResolver, name: str) -> None:
    assert asyncio.run(Resolver().addresses(name)) == ["127.0.0.1", "::1"]
    assert resolver.asked == []


def test_what_nobody_waits_for_any_more_is_not_looked_up(resolver: SystemResolver) -> None:
    async def ask() -> None:
        names = Resolver()
        slow = [asyncio.create_task(names.addresses(f"{number}.slow")) for number in range(64)]
        async with asyncio.timeout(20):
            while len(resolver.asked) < len(slow):
                await asyncio.sleep(0.001)
            late = asyncio.create_task(names.addresses("late.test"))
            await asyncio.sleep(0)
            late.cancel()
            await asyncio.wait((late,))
            again = asyncio.create_task(names.addresses("again.test"))
            await asyncio.sleep(0)
            resolver.told.set()
            await asyncio.gather(*slow, return_exceptions=True)
            assert await again == ["::1", "127.0.0.1"]

    asyncio.run(ask())
    assert "late.test" not in resolver.asked


@pytest.mark.parametrize("name", ["", "..", ".a", "a" * 300, "ä" * 300, "a b", "a\0b"])
def test_what_is_no_name_has_no_address(name: str) -> None:
    with pytest.raises(socket.gaierror):
        asyncio.run(Resolver().addresses(name))
