"""The process of an interpreter in its sandbox, before and after it has become a function."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cloudlet.engines.sandbox import Limits, Mount, Sandbox, Sandboxes, Spec
from cloudlet.services.lambda_.execution import environment, frames
from cloudlet.services.lambda_.execution.authorities import Authorities
from cloudlet.services.lambda_.execution.frames import Channel
from cloudlet.services.lambda_.execution.interpreters import Interpreter
from cloudlet.services.lambda_.execution.networks import Network
from cloudlet.services.lambda_.execution.runtime_api import RuntimeApi

_CHANNEL_VARIABLE = "_CLOUDLET_CHANNEL"
_LINE_BYTES = 64 << 10
_READ_BYTES = 256 << 10
_EARLY_LINES = 1000
_NONE = Authorities()


class Process:
    """A running interpreter. Who has it sets what it tells."""

    def __init__(
        self, interpreter: Interpreter, sandbox: Sandbox, api: RuntimeApi | None, network: Network | None
    ) -> None:
        self.network = network
        """The network of a function in a VPC."""
        self.interpreter = interpreter
        self.sandbox = sandbox
        self.api = api
        """What its extensions, and custom runtimes, speak with."""
        self.on_frame: frames.OnFrame | None = None
        self.on_line: Callable[[str], None] | None = None
        """Is told of each line that it prints past its channel, as its own programs do."""
        self.on_extension_line: Callable[[str], None] | None = None
        """Is told of each line that its extensions print."""
        self.on_lost: Callable[[], None] | None = None
        """Is told once that it has hung up, which it does when it ends."""
        self.lost = False
        self._early: list[str] = []
        self.link: frames.Link = Channel(self._frame, self._hung_up)
        if api is not None:
            api.on_frame = self._api_frame
            if interpreter.is_custom:
                self.link = api
        self.outputs = [_Output(self._line)]
        if api is not None and api.expects_extensions:
            self.outputs.append(_Output(self._extension_line))
        sandbox.ended.add_done_callback(lambda _: self._lost())

    @classmethod
    async def start(
        cls,
        sandboxes: Sandboxes,
        interpreter: Interpreter,
        limits: Limits,
        *,
        task: Path | None = None,
        layers: Path | None = None,
        variables: dict[str, str] | None = None,
        api: RuntimeApi | None = None,
        trusted: Authorities = _NONE,
        waits: bool = False,
        network: Network | None = None,
    ) -> Process:
        """Start an interpreter that sees two folders, if given, as its code and its layers. Raises SandboxError.

        `waits`: it gets its limits later. `network` is that of a function in a VPC.
        """
        loop = asyncio.get_running_loop()
        near, far = socket.socketpair()
        pipes = [os.pipe()]
        if api is not None and api.expects_extensions:
            # They print where errors would go, and it where all else goes.
            pipes.append(os.pipe())
        seen = ((task, environment.TASK_ROOT), (layers, environment.LAYERS_ROOT))
        folders = (Mount(folder, place) for folder, place in seen if folder is not None)
        mounts = (*interpreter.mounts, *folders, *trusted.mounts)
        given = {
            **environment.at_start(),
            **trusted.variables,
            **(variables or {}),
            _CHANNEL_VARIABLE: str(far.fileno()),
        }
        try:
            spec = Spec(
                interpreter.command,
                limits,
                mounts,
                given,
                folder=interpreter.folder,
                descriptors=(far.fileno(),),
                waits=waits,
                root=interpreter.root,
                network=None if network is None else network.sandboxed,
            )
            if network is not None:
                network.enter()
            try:
                process = cls(interpreter, await sandboxes.start(spec, pipes[0][1], pipes[-1][1]), api, network)
            except BaseException:
                if network is not None:
                    network.leave()
                raise
        except BaseException:
            near.close()
            for reading, _ in pipes:
                os.close(reading)
            if api is not None:
                api.close()
            raise
        finally:
            far.close()
            for _, writing in pipes:
                os.close(writing)
        if isinstance(process.link, Channel):
            channel = process.link
            near.setblocking(False)
            await loop.create_unix_connection(lambda: channel, sock=near)
        else:
            near.close()
        if api is not None:
            api.serve(process.sandbox)
        for (reading, _), taken in zip(pipes, process.outputs, strict=True):
            taken.follow(reading)
        return process

    def send(self, kind: bytes, told: dict[str, Any], payload: bytes = b"") -> None:
        """Tell it something."""
        self.link.send(kind, told, payload)

    async def close(self) -> None:
        """End it, and leave nothing of it behind."""
        if self.api is not None and not self.lost:
            # What is halted could not take leave.
            self.sandbox.thaw()
            await self.api.shut_down()
            self.api.on_event = None
        self.on_frame = self.on_line = self.on_extension_line = self.on_lost = None
        self.link.close()
        if self.api is not None:
            self.api.close()
        await self.sandbox.close()
        for output in self.outputs:
            output.close()
        network, self.network = self.network, None
        if network is not None:
            network.leave()

    @property
    def is_cut_off(self) -> bool:
        """Whether it is in a network that is gone."""
        return self.network is not None and self.network.is_lost

    def _frame(self, kind: bytes, told: dict[str, Any], payload: bytes) -> None:
        if self.on_frame is not None:
            self.on_frame(kind, told, payload)

    def _api_frame(self, kind: bytes, told: dict[str, Any], payload: bytes) -> None:
        """Take what comes by the Runtime API: who asks there for invocations is the runtime from now on."""
        if kind == frames.READY and self.api is not None and self.link is not self.api:
            channel, self.link = self.link, self.api
            channel.close()
        self._frame(kind, told, payload)

    def tell_early_lines(self) -> None:
        """Tell of the lines that it has printed before anybody was there who wanted them."""
        early, self._early = self._early, []
        for line in early:
            self._line(line)

    def _line(self, line: str) -> None:
        if self.on_line is not None:
            self.on_line(line)
        elif len(self._early) < _EARLY_LINES:
            self._early.append(line)

    def _extension_line(self, line: str) -> None:
        if self.on_extension_line is not None:
            self.on_extension_line(line)

    def _hung_up(self) -> None:
        if self.link is not self.api:
            self._lost()

    def _lost(self) -> None:
        """Note that it has hung up, or has ended."""
        self.lost = True
        told, self.on_lost = self.on_lost, None
        if told is not None:
            told()


class _Output:
    """What a process prints by itself, in lines."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._held = b""
        self._descriptor: int | None = None

    def follow(self, descriptor: int) -> None:
        """Read a pipe until its end, which closes it."""
        # Not by a transport: that of uvloop closes its descriptor twice, and the second time what another thread has
        # opened meanwhile under the same number.
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        asyncio.get_running_loop().add_reader(descriptor, self._read, descriptor)

    def _read(self, descriptor: int) -> None:
        try:
            data = os.read(descriptor, _READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            self.close()
            return
        *lines, self._held = (self._held + data).split(b"\n")
        if len(self._held) > _LINE_BYTES:
            lines.append(self._held)
            self._held = b""
        for line in lines:
            self._on_line(line.decode("utf-8", "replace") + "\n")

    def close(self) -> None:
        """Read no more."""
        if self._descriptor is not None:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None
        if self._held:
            self._on_line(self._held.decode("utf-8", "replace") + "\n")
            self._held = b""
