"""Takes one of Cloudlet's building blocks away, and brings it back.

That needs a Cloudlet whose blocks are processes: `cloudlet up --isolate`.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from cloudlet_here import Cloudlet


class Block:
    """A block of a Cloudlet."""

    def __init__(self, name: str, cloudlet: Cloudlet) -> None:
        self.name = name
        self._cloudlet = cloudlet

    @property
    def process(self) -> int | None:
        """The id of its process, or None where it has none that is its own, or Cloudlet has gone."""
        status = self._cloudlet.status()
        if status is None:
            return None
        [process] = [block["process"] for block in status["blocks"] if block["name"] == self.name]
        return None if process == status["pid"] else process

    def kill(self) -> None:
        """End its process as a crash does: there is nothing that it could still do."""
        process = self.process
        assert process is not None
        os.kill(process, signal.SIGKILL)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Have the block stopped until the end of the `with` block."""
        self._cloudlet.run("block", "stop", self.name)
        try:
            yield
        finally:
            self._cloudlet.run("block", "start", self.name)


def of_isolated(name: str, cloudlet: Cloudlet | None) -> Block | None:
    """Return a block that can be taken away, or None where there is no isolated Cloudlet."""
    if cloudlet is None:
        return None
    block = Block(name, cloudlet)
    return None if block.process is None else block
