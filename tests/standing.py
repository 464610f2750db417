"""A server whose clock stands until a test moves it, and waiting for what is done in time."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import TypeVar

import pytest

from cloudlet.cli import EXIT_OK, clock
from cloudlet.testing.server import Aws, Server, fresh_account
from tests.modes import MODE, Mode, processes, shared_by_tests

_PATIENCE_SECONDS = 60
T = TypeVar("T")

NOON = "2030-03-13T12:00:00Z"
"""The time at which the clock stands at first: a Wednesday."""


@dataclass(frozen=True)
class Standing:
    """A running Cloudlet whose clock stands."""

    server: Server

    def account(self) -> Aws:
        return Aws(self.server.endpoint, fresh_account())

    def advance(self, duration: str) -> None:
        """Move the clock on (`1d12h`)."""
        self._set_clock("advance", duration)

    def freeze(self, time: str) -> None:
        """Let the clock stand at a time."""
        self._set_clock("freeze", time)

    def _set_clock(self, *how: str) -> None:
        """Run `cloudlet clock` without a process of its own, of which there would be hundreds."""
        parser = ArgumentParser()
        clock.add_arguments(parser)
        first, *others = processes(self.server)

        def shown(process: Server, *command: str) -> str:
            with redirect_stdout(StringIO()) as printed:
                assert clock.run(parser.parse_args([*command, "--port", process.port])) == EXIT_OK
            return printed.getvalue()

        moved = shown(first, *how).split(",")[0]
        for process in others:
            # They share the database, which tells them.
            eventually(lambda process=process: shown(process, "show"), lambda text: text.split(",")[0] == moved)


@contextmanager
def standing_server(env: Mapping[str, str] | None = None, mode: Mode | None = MODE) -> Iterator[Standing]:
    """Run a server until the end of the `with` block; it is noon."""
    with shared_by_tests(env or {}, mode) as server:
        standing = Standing(server)
        standing.freeze(NOON)
        yield standing


@pytest.fixture(scope="module")
def standing(noting: Mapping[str, str]) -> Iterator[Standing]:
    """A server whose clock stands; the tests of a module share it, and each leaves it at some noon."""
    with standing_server(noting) as server:
        yield server


def eventually(look: Callable[[], T], wanted: Callable[[T], bool] = bool) -> T:
    """Look again and again until what is seen is what is wanted; return it. Fails where it never is."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while not wanted(seen := look()):
        assert time.monotonic() < end, f"never seen; at last: {seen!r}"
        time.sleep(0.02)
    return seen
