"""Takes one of Cloudlet's building blocks away, and brings it back. The shop itself knows nothing of Cloudlet.

That needs a Cloudlet whose blocks are processes: `cloudlet up --isolate`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit


class Block:
    """A block of the Cloudlet that listens on a port."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self._port = port

    @property
    def process(self) -> int | None:
        """The id of its process, or None where it has none that is its own, or no Cloudlet is there."""
        answer = self._cloudlet("status", "--json")
        if answer.returncode:
            return None
        status = json.loads(answer.stdout)
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
        self._cloudlet("block", "stop", self.name).check_returncode()
        try:
            yield
        finally:
            self._cloudlet("block", "start", self.name).check_returncode()

    def _cloudlet(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["cloudlet", *arguments, "--port", str(self._port)]
        return subprocess.run(command, capture_output=True, text=True)


def of_isolated(name: str) -> Block | None:
    """Return a block that can be taken away, or None where there is no isolated Cloudlet."""
    port = urlsplit(os.environ.get("AWS_ENDPOINT_URL", "")).port
    if port is None or shutil.which("cloudlet") is None:
        return None
    block = Block(name, port)
    return None if block.process is None else block
