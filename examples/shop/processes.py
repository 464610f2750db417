"""The demo runs each of the shop's services in a process of its own, and waits for what they do."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import TypeVar

DEADLINE_SECONDS = 60
HERE = Path(__file__).parent

T = TypeVar("T")


class Service:
    """A service in a process of its own. Its first line says that it is ready; all are printed behind its name."""

    def __init__(self, name: str, data: str, **settings: str) -> None:
        self.name = name
        self._greeting = ""
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-m", f"shop.{name.replace('-', '_')}"],
            cwd=HERE,
            env={**os.environ, "SHOP_DATA": data, **settings},
            stdout=subprocess.PIPE,
            text=True,
        )
        Thread(target=self._relay, daemon=True).start()

    def greeting(self) -> str:
        """Wait until the service is ready, and return the first thing it says."""
        return wait(f"{self.name} to start", self._greet)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def _greet(self) -> str:
        if self._process.poll() is not None:
            raise SystemExit(f"{self.name} has died")
        return self._greeting

    def _relay(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._greeting = self._greeting or line.strip()
            print(f"  {self.name:<10} {line}", end="", flush=True)


def wait(what: str, condition: Callable[[], T]) -> T:
    """Return the first answer of `condition` that is true; give up on the whole demo where that takes too long."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise SystemExit(f"Gave up after {DEADLINE_SECONDS} seconds waiting for {what}.")
        time.sleep(0.05)
    return answer
