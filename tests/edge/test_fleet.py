"""Blocks in processes of their own, which are started again."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from pathlib import Path

from cloudlet.edge.fleet import Launch, Member


def test_a_block_is_started_again_though_its_socket_could_not_be_opened_once() -> None:
    opened = 0

    class Failing(Member):
        def _open(self) -> socket.socket:
            nonlocal opened
            opened += 1
            if opened == 2:
                raise OSError("too many open files")
            return super()._open()

    async def scenario(folder: Path) -> None:
        member = Failing("sqs", folder, lambda name, sockets: Launch(["true"], {"PATH": "/usr/bin:/bin"}), None)
        member.start()
        async with asyncio.timeout(30):
            while member.restarts < 2:
                await asyncio.sleep(0.001)
        await member.stop()

    # The names of Unix sockets are to be short.
    with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
        asyncio.run(scenario(Path(folder)))
    assert opened >= 3
