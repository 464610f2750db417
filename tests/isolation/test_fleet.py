"""Processes of blocks, started and started again."""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from cloudlet.edge.fleet import Launch, Member


def test_a_block_for_which_there_is_no_socket_is_started_once_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched: list[str] = []

    def launcher(name: str, _sockets: Sequence[int]) -> Launch:
        launched.append(name)
        return Launch((sys.executable, "-c", "import sys; sys.stdin.read()"), {})

    class Full(socket.socket):
        def bind(self, address: object) -> None:
            if self.family == socket.AF_UNIX:
                raise OSError(errno.ENOSPC, "No space left on device")
            super().bind(address)  # type: ignore[arg-type]

    async def until(state: str, restarts: int) -> None:
        async with asyncio.timeout(60):
            while member.state != state or member.restarts < restarts:
                await asyncio.sleep(0.01)

    async def main() -> None:
        nonlocal member
        member = Member("sqs", tmp_path, launcher, None)
        with monkeypatch.context() as patches:
            patches.setattr("cloudlet.edge.fleet.socket.socket", Full)
            member.start()
            await until("restarting", 2)
            assert launched == []
        await until("running", 2)
        assert launched == ["sqs"]
        await member.stop()

    member: Member
    asyncio.run(main())
