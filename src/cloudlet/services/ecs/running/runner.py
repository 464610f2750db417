"""The containers that the keeper runs for a block."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from cloudlet.core import Transaction
from cloudlet.core.background.reconciler import Key
from cloudlet.core.host.keeper_access import open_keeper
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.engines.keeper.client import LOST
from cloudlet.services.ecs import tasks
from cloudlet.store.eager import spawn

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block
    from cloudlet.engines.keeper.protocol import Event
    from cloudlet.services.ecs.task_record import Task, TaskContainer

_PREFIX: Final = "ecs"


class End(NamedTuple):
    """The end of a container. The code is None for one that the keeper does not know."""

    code: int | None
    is_out_of_memory: bool = False


class TaskUsage(NamedTuple):
    """The usage of a task since it was started, at a time."""

    time: float
    processor_seconds: float
    memory_bytes: float
    received_bytes: int
    sent_bytes: int


class Runner:
    """The way to the keeper, and what goes on beside containers. Used from one event loop."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self.keeper = open_keeper(block, self._note_event)
        self.is_leading = False
        """Whether this process runs the tasks, of several on one store."""
        self.prepared: dict[Key, Any] = {}
        """The images and secrets of tasks, as long as they run."""
        self.asked_to_stop: dict[str, float] = {}
        """The times at which containers were asked to end."""
        self.awaited: dict[str, float] = {}
        """Since when others wait for containers, by the names of these."""
        self.finishing: dict[str, float] = {}
        """Since when logs are to be sent to their end, by their names."""
        self.finished: set[str] = set()
        """The logs that were, of tasks that have not been forgotten yet."""
        self.endpoints: dict[str, Key] = {}
        """The tasks that are told something, by the parts of their paths."""
        self.users: dict[str, set[str]] = {}
        """The tasks in networks, by their names."""
        self.opening = asyncio.Lock()
        self.loopback_port = 0
        self.measured: dict[str, TaskUsage] = {}
        """The usage of tasks when they were measured last."""
        self._news: dict[str, asyncio.Event] = {}
        self._codes: dict[str, int | None] = {}
        self._out_of_memory: set[str] = set()
        self._is_in_sync = False
        self._syncing = asyncio.Lock()
        self._beside: dict[str, asyncio.Task[None]] = {}

    def get_time(self) -> float:
        """Return the time by which programs are waited for, which is not the cloud's."""
        return asyncio.get_running_loop().time()

    def get_folder(self, task: Task) -> Path:
        """Return the folder of what belongs to a task."""
        return self.block.cloud.config.data / "work" / _PREFIX / "tasks" / task.id

    def mark_folder(self, task: Task) -> None:
        """Write down whose folder it is. Waits for the disk."""
        (self.get_folder(task) / "key").write_bytes(msgspec.json.encode(task.key))

    def list_folders(self) -> list[tuple[Path, Key | None]]:
        """Return the folders of tasks, and of which they are, where that is known. Waits for the disk."""
        found: list[tuple[Path, Key | None]] = []
        for folder in (self.block.cloud.config.data / "work" / _PREFIX / "tasks").glob("*"):
            try:
                found.append((folder, tuple(msgspec.json.decode((folder / "key").read_bytes()))))
            except (OSError, ValueError):
                found.append((folder, None))
        return found

    async def sync(self) -> None:
        """Learn what the keeper runs, unless that is known. Raises KeeperError."""
        async with self._syncing:
            if not self._is_in_sync:
                self._is_in_sync = True
                try:
                    described = await self.keeper.call("describe")
                except BaseException:
                    self._is_in_sync = False
                    raise
                self._codes = {**described["containers"], **{k: v for k, v in self._codes.items() if v is not None}}
                self._out_of_memory.update(described["out_of_memory"])

    def _note_event(self, event: Event) -> None:
        if event == LOST:
            # With the keeper all has ended that it ran.
            self._is_in_sync = False
            self._codes.clear()
            self._out_of_memory.clear()
            self.end_listening()
            self.go_beside("lost", self.request_all())
        elif event.name == "container_ended" and event.about["name"].startswith(f"{_PREFIX}/"):
            name = event.about["name"]
            self._codes[name] = event.about["code"]
            if event.about["is_out_of_memory"]:
                self._out_of_memory.add(name)
            self.request(tuple(name.split("/")[1:5]))

    def request(self, key: Key) -> None:
        """Have a task looked at again."""

        async def ask() -> None:
            async def body(tx: Transaction) -> None:
                tasks.TASKS.request(tx, *key)

            await self.block.store.transact(body)

        spawn(ask())

    async def request_all(self) -> None:
        """Have all tasks looked at that have not stopped."""
        for key in await tasks.list_live(self.block):
            self.request(key)

    def find_end(self, task: Task, container: TaskContainer) -> End | None:
        """Return how a container that was started has ended, None for one that runs."""
        name = make_container_name(task, container)
        if name not in self._codes:
            return End(None)
        code = self._codes[name]
        return None if code is None else End(code, name in self._out_of_memory)

    def is_running(self, task: Task, container: TaskContainer) -> bool:
        """Whether the keeper runs a container, as far as is known."""
        return self._codes.get(make_container_name(task, container), 0) is None

    async def run(self, task: Task, container: TaskContainer, spec: dict[str, Any]) -> None:
        """Run a container, unless it runs. Raises KeeperError."""
        name = make_container_name(task, container)
        await self.keeper.call("run", name=name, spec=spec)
        # It may have ended by now, and this process have heard of it.
        self._codes.setdefault(name, None)

    async def forget_container(self, task: Task, container: TaskContainer) -> None:
        """Forget a container that has ended, once that is stored. Raises KeeperError."""
        name = make_container_name(task, container)
        self.asked_to_stop.pop(name, None)
        self.awaited.pop(name, None)
        if self._codes.pop(name, None) is not None:
            self._out_of_memory.discard(name)
            await self.keeper.call("forget", name=name)

    def go_beside(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do a work beside, unless one of its name is under way."""
        known = self._beside.get(name)
        if known is not None:
            work.close()
            return known
        made = self._beside[name] = asyncio.get_running_loop().create_task(work)
        made.add_done_callback(partial(self._forget_beside, name))
        return made

    def _forget_beside(self, name: str, made: asyncio.Task[None]) -> None:
        if self._beside.get(name) is made:
            del self._beside[name]

    async def wait_for_news(self, name: str, seconds: float) -> None:
        """Wait for so long, or until somebody tells of something by that name."""
        event = self._news.setdefault(name, asyncio.Event())
        try:
            await asyncio.wait_for(event.wait(), seconds)
        except TimeoutError:
            pass
        finally:
            self._news.pop(name, None)

    def tell_news(self, name: str) -> None:
        """End a wait."""
        event = self._news.get(name)
        if event is not None:
            event.set()

    def find_beside(self, name: str) -> asyncio.Task[None] | None:
        """Return a work that goes on beside."""
        return self._beside.get(name)

    def end_listening(self, network: str | None = None) -> None:
        """Give up the sockets in a network that is gone, or in all."""
        kinds = ("metadata of", "endpoint of", "envoys of", "names of")
        names = [f"{kind} {network}" for kind in kinds]
        for name in list(self._beside):
            if name in names or (network is None and name.startswith((*kinds, "port of"))):
                self.end_beside(name)
        if network is None:
            self.users.clear()

    def end_beside(self, name: str) -> None:
        """End a work that goes on beside, if there is one."""
        known = self._beside.pop(name, None)
        if known is not None:
            known.cancel()

    async def close(self) -> None:
        """End what goes on here. What the keeper runs goes on."""
        beside = list(self._beside.values())
        for each in beside:
            each.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        self.keeper.close()


RUNNER: Final = PerBlock(Runner)


def make_container_name(task: Task, container: TaskContainer) -> str:
    """Return how the keeper calls a container: each attempt is another one."""
    return "/".join((_PREFIX, *task.key, container.name, str(container.attempt)))


def find_network_name(task: Task) -> str:
    """Return the name of a task's network: its VPC, or its container instance's bridge."""
    return task.interface["network"] if task.network_mode == "awsvpc" else f"ecs-{task.account}-{task.region}"
