"""The workers of versions: as many as there are invocations at once, and some at rest."""

from __future__ import annotations

import asyncio
import logging
import os
import shlex
from collections import defaultdict, deque
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec

from cloudlet.core import AwsError
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.errors import unavailable
from cloudlet.engines.keeper.client import KeeperError
from cloudlet.engines.sandbox import Limits, SandboxError, Sandboxes
from cloudlet.services.lambda_.code import unpacking
from cloudlet.services.lambda_.execution import containers, environment, nursery
from cloudlet.services.lambda_.execution.authorities import Trust
from cloudlet.services.lambda_.execution.environment import Credentials
from cloudlet.services.lambda_.execution.interpreters import Interpreter, Interpreters
from cloudlet.services.lambda_.execution.invocation import Invocation, Outcome
from cloudlet.services.lambda_.execution.log_stream import LogStream
from cloudlet.services.lambda_.execution.merged_layers import Layers, MergedLayers
from cloudlet.services.lambda_.execution.networks import Network, Networks
from cloudlet.services.lambda_.execution.nursery import WarmPool, WarmProcess
from cloudlet.services.lambda_.execution.process import Process
from cloudlet.services.lambda_.execution.runtime_api import RuntimeApi
from cloudlet.services.lambda_.execution.snapshots import Snapshots
from cloudlet.services.lambda_.execution.streaming import Stream
from cloudlet.services.lambda_.execution.subsegments import Subsegments
from cloudlet.services.lambda_.execution.surplus import surplus
from cloudlet.services.lambda_.execution.turns import Turn, Turns
from cloudlet.services.lambda_.execution.worker import SNAP_START, WRAPPER, InitError, Worker, limits_of
from cloudlet.services.lambda_.functions import environments, roles
from cloudlet.services.lambda_.functions.function import Version

log = logging.getLogger("cloudlet.lambda")

_CREDENTIALS_SECONDS = 12 * 3600.0
_KEPT_SECONDS = 300.0
_LAST_SECONDS = 3.0
_TICK_SECONDS = 30.0
_SOON_SECONDS = 0.1
_MOST_RESTING = 64
_LOOK_SECONDS = 0.25
"""How often it is looked whether a start takes processor time."""
_COUNTED_PACKAGES = 10_000
_MOST_REVISIONS = 10_000


class Pools:
    """All workers of a block."""

    def __init__(self, block: Block, sandboxes: Sandboxes, root: Path, subsegments: Subsegments) -> None:
        """`root` is a folder for what the workers see, emptied by whoever has this."""
        self._block = block
        self._subsegments = subsegments
        self._sandboxes = sandboxes
        self._root = root
        self._interpreters = Interpreters(root / "compiled")
        self._trust = Trust(block.cloud.config.authority, root / "authorities")
        self._networks = Networks(block, subsegments, self._replace_lost)
        self._nursery = WarmPool(sandboxes, root / "children", self._trust)
        self.snapshots = Snapshots(lambda version: self._started(version, SNAP_START), self._end)
        self._resting: defaultdict[str, list[Worker]] = defaultdict(list)
        """Revision → its workers that rest, the last that came last."""
        self._wanted: dict[str, deque[asyncio.Future[Worker]]] = {}
        """Revision → who waits for a worker of it."""
        self._revisions: dict[str, str] = {}
        """Version's ARN → its revision that was invoked last."""
        self._workers: set[Worker] = set()
        self._kept: dict[str, tuple[str, int]] = {}
        """What something is kept ready for, by ARN → the revision, and how many of its workers."""
        self._merged = MergedLayers(root / "layers", self._layers_needed)
        self._files: dict[str, int] = {}
        """Package → how many files it has."""
        self._turns = Turns()
        self._starting: set[asyncio.Task[Worker]] = set()
        self._closed = False
        self._ticking: asyncio.TimerHandle | None = None
        self._followed: set[asyncio.Task[None]] = set()

    async def invoke(self, version: Version, invocation: Invocation, stream: Stream | None = None) -> Outcome:
        """Have a version serve an invocation. Raises AwsError where it cannot be run at all."""
        self._notice(version)
        worker = self._rested(version)
        try:
            if worker is None:
                worker = await self._freed_or_begun(version, invocation.request_id)
        except InitError as failed:
            return failed.told(invocation)
        try:
            return await worker.invoke(invocation, stream)
        finally:
            self._give_back(worker)

    async def _freed_or_begun(self, version: Version, request_id: str) -> Worker:
        """Return a worker that another invocation leaves, or one that begins for this one, whichever is there first.

        Raises AwsError, InitError.
        """
        loop = asyncio.get_running_loop()
        freed: asyncio.Future[Worker] = loop.create_future()
        self._wanted.setdefault(version.revision, deque()).append(freed)
        begins = self.snapshots.take(version) if version.starts_from_snapshot else None
        beginning = loop.create_task(begins or self._started(version, "on-demand", request_id))
        unwanted: list[asyncio.Future[Worker]] = [freed, beginning]
        try:
            await asyncio.wait(unwanted, return_when=asyncio.FIRST_COMPLETED)
            chosen = unwanted.pop(0 if freed.done() else 1)
            return chosen.result()
        finally:
            self._want_no_more(version.revision, freed)
            for each in unwanted:
                each.cancel()
                each.add_done_callback(self._keep_unwanted)

    def _want_no_more(self, revision: str, freed: asyncio.Future[Worker]) -> None:
        waiting = self._wanted.get(revision)
        if waiting is not None and freed in waiting:
            waiting.remove(freed)
        if not waiting:
            self._wanted.pop(revision, None)

    async def keep(self, arn: str, version: Version, count: int) -> int:
        """Have so many workers of a version ready from now on, for an ARN; return how many there are.

        Raises AwsError, InitError where one cannot be started.
        """
        self._notice(version)
        self._kept[arn] = (version.revision, count)
        alive = [worker for worker in self._workers if worker.version.revision == version.revision and worker.is_alive]
        for _ in range(count - len(alive)):
            self._keep(await self._started(version, "provisioned-concurrency"))
        return count

    def release(self, arn: str) -> None:
        """Keep nothing ready any more for an ARN."""
        self._kept.pop(arn, None)

    def running(self) -> list[Version]:
        """Return what has workers, each of its revisions once."""
        return list({worker.version.revision: worker.version for worker in self._workers}.values())

    def forget(self, version: Version) -> None:
        """End the workers of a revision that nobody can invoke any more, once they have served what they do."""
        if self._revisions.get(version.arn) == version.revision:
            del self._revisions[version.arn]
        for worker in self._resting.pop(version.revision, ()):
            self._end(worker)
        self.snapshots.forget_revision(version)

    def _kept_of(self, revision: str) -> int:
        return sum(count for of, count in self._kept.values() if of == revision)

    async def expect(self, version: Version) -> None:
        """Have ready what the first invocation of a version needs. Raises AwsError where that cannot be had."""
        if version.image is None:
            interpreter = await self._interpreters.find(version.runtime)
            try:
                async with self._networks.hold(version) as network:
                    self._nursery.expect(interpreter, network)
            except AwsError as error:
                log.warning("nothing is kept ready for %s: %s", version.arn, error)

    def leave_network(self, interface: str) -> bool:
        """Keep nothing ready at an interface any more; return whether nothing runs there."""
        self._nursery.forget(interface)
        return not self._networks.is_used(interface)

    def _replace_lost(self) -> None:
        """Let go of workers in networks that are gone."""
        self._nursery.forget()
        for revision, workers in list(self._resting.items()):
            for worker in [each for each in workers if not each.is_usable]:
                self._resting[revision].remove(worker)
                self._end(worker)

    def _notice(self, version: Version) -> None:
        """Let go of workers of what the version was before."""
        before = self._revisions.get(version.arn)
        if before != version.revision:
            if len(self._revisions) >= _MOST_REVISIONS:
                # Versions that are deleted, mostly.
                alive = {worker.version.arn for worker in self._workers}
                self._revisions = {arn: revision for arn, revision in self._revisions.items() if arn in alive}
            self._revisions[version.arn] = version.revision
            if before is not None:
                for worker in self._resting.pop(before, ()):
                    self._end(worker)

    def _rested(self, version: Version) -> Worker | None:
        resting = self._resting.get(version.revision)
        while resting:
            worker = resting.pop()
            if worker.is_usable:
                return worker
            self._end(worker)
        return None

    async def _rest(self, worker: Worker) -> None:
        await worker.rested()
        self._keep(worker)

    def _give_back(self, worker: Worker) -> None:
        """Keep a worker for the next invocation, once it is done with this one."""
        if worker.may_be_busy:
            self._follow(self._rest(worker))
        else:
            self._keep(worker)

    def _keep(self, worker: Worker) -> None:
        version = worker.version
        if worker.is_restorable and not self._closed:
            self.snapshots.hold(version, worker)
            return
        if self._closed or not worker.is_usable or self._revisions.get(version.arn) != version.revision:
            self._end(worker)
            return
        waiting = self._wanted.get(version.revision)
        while waiting:
            freed = waiting.popleft()
            if not freed.done():
                freed.set_result(worker)
                return
        worker.halt_soon()
        self._resting[version.revision].append(worker)
        self._tick_within(_SOON_SECONDS if sum(map(len, self._resting.values())) > _MOST_RESTING else _TICK_SECONDS)

    def _tick_within(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        if self._ticking is not None:
            if self._ticking.when() <= loop.time() + seconds:
                return
            self._ticking.cancel()
        self._ticking = loop.call_later(seconds, self._tick)

    def _tick(self) -> None:
        """End workers that nobody has wanted for long, and those that are too many."""
        self._ticking = None
        now = asyncio.get_running_loop().time()
        resting = sorted(
            (worker for workers in self._resting.values() for worker in workers), key=lambda each: each.rested_since
        )
        surplus_ones = surplus(resting, lambda worker: worker.version.place.account, _MOST_RESTING)
        for worker in resting:
            revision = worker.version.revision
            if len(self._resting[revision]) <= self._kept_of(revision):
                unwanted = not worker.is_usable
            else:
                unwanted = now - worker.rested_since > _KEPT_SECONDS or worker in surplus_ones
            if unwanted:
                self._resting[worker.version.revision].remove(worker)
                self._end(worker)
        for revision in [revision for revision, workers in self._resting.items() if not workers]:
            del self._resting[revision]
        if self._resting:
            self._tick_within(_TICK_SECONDS)

    def _end(self, worker: Worker) -> None:
        self._workers.discard(worker)
        self._follow(worker.close())

    def _follow(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that nobody waits for."""
        task = asyncio.get_running_loop().create_task(work)
        self._followed.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._followed.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a process could not be ended in order", exc_info=task.exception())

    async def _started(self, version: Version, initialization: str, request_id: str = "") -> Worker:
        """Start a worker once its turn has come; `request_id` is of the invocation that waits for it.

        Raises AwsError, InitError.
        """
        turn = await self._turns.take(version.place)
        # To break off a start would leave something of it behind.
        starting = asyncio.get_running_loop().create_task(self._start(version, initialization, request_id, turn))
        self._starting.add(starting)
        starting.add_done_callback(self._starting.discard)
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(self._keep_unwanted)
            raise

    def _keep_unwanted(self, starting: asyncio.Future[Worker]) -> None:
        """Keep a worker for the next invocation: who wanted it has gone, or has another one."""
        if not starting.cancelled() and starting.exception() is None:
            self._keep(starting.result())

    async def _start(self, version: Version, initialization: str, request_id: str, turn: Turn) -> Worker:
        began = perf_counter()
        watching: asyncio.Task[None] | None = None
        try:
            if self._closed:
                raise unavailable()
            version = msgspec.structs.replace(version, environment=await environments.decrypt(self._block, version))
            interpreter = await self._interpreter(version)
            log_stream = LogStream(self._block, version)
            credentials = await self._credentials(version)
            stream = None if initialization == SNAP_START else log_stream.name
            try:
                trusted = (await self._trust.made()).variables
                async with self._networks.hold(version) as network:
                    endpoint, daemon = await self._find_ways(network)
                    variables = environment.variables(
                        version, stream, endpoint, credentials, initialization, daemon, trusted
                    )
                    process, folder = await self._process(version, interpreter, variables, network)
            except unpacking.BadPackage as error:
                # It was unpacked once, and is damaged by now.
                raise AwsError("InvalidZipFileException", f"The package cannot be unpacked: {error}") from error
            except (SandboxError, KeeperError, OSError) as error:
                raise AwsError("ServiceException", str(error), status=500) from error
            worker = Worker(self._block, version, process, log_stream, folder, credentials.expires, initialization)
            self._workers.add(worker)
            watching = asyncio.get_running_loop().create_task(self._watch(worker, turn))
            try:
                if self._closed:
                    raise unavailable()
                await worker.start(variables, interpreter.libraries, began, request_id)
            except BaseException:
                self._end(worker)
                raise
            return worker
        finally:
            if watching is not None:
                watching.cancel()
            self._turns.give_back(turn)

    async def _find_ways(self, network: Network | None) -> tuple[str, str | None]:
        """Return where a function reaches Cloudlet, and where it sends X-Ray something."""
        if network is not None:
            return network.endpoint, network.daemon
        return self._block.cloud.config.endpoint, await self._subsegments.address()

    async def _watch(self, worker: Worker, turn: Turn) -> None:
        """Let others begin while a worker that starts takes no processor time."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self._turns.note(turn, is_idle=not await asyncio.to_thread(worker.has_worked))

    async def _interpreter(self, version: Version) -> Interpreter:
        """Raises AwsError, InitError."""
        if version.image is not None:
            return await containers.interpreter(self._block, version, version.image)
        return await self._interpreters.find(version.runtime)

    async def _contained(
        self, version: Version, root: Path, interpreter: Interpreter, given: dict[str, str], network: Network | None
    ) -> Process:
        """Return the process of an image."""
        extensions = await asyncio.to_thread(containers.extensions, root)
        api = await self._api(version, len(extensions), given, network)
        started = replace(interpreter, command=_command(interpreter, extensions, ""))
        limits = _starting(limits_of(version))
        return await Process.start(
            self._sandboxes,
            started,
            limits,
            variables=given,
            api=api,
            trusted=await self._trust.made(),
            network=network,
        )

    async def _api(
        self, version: Version, extensions: int, variables: dict[str, str], network: Network | None
    ) -> RuntimeApi:
        """Return an API for a process that is given these variables."""
        is_held = variables["AWS_LAMBDA_INITIALIZATION_TYPE"] == SNAP_START
        api = RuntimeApi(version, extensions, is_held=is_held, network=network)
        await api.listen()
        variables["AWS_LAMBDA_RUNTIME_API"] = api.address
        return api

    async def _process(
        self, version: Version, interpreter: Interpreter, variables: dict[str, str], network: Network | None
    ) -> tuple[Process, Path | None]:
        """Return a process that sees a version's files, and the folder that has them where it is the process's own."""
        if interpreter.root is not None:
            return await self._contained(version, interpreter.root, interpreter, variables, network), None
        code = await unpacking.unpacked(self._block, version.place.account, version.package.code)
        layers = await self._layers(version)
        limits = _starting(limits_of(version))
        extensions = [] if layers is None else await asyncio.to_thread(_extensions, layers)
        wrapper = version.variables.get(WRAPPER, "")
        if not (interpreter.is_custom or layers or wrapper) and version.ephemeral == nursery.TMP_MB:
            child = await self._child(version.package.code, code, interpreter, limits, network)
            if child is not None:
                return child.process, child.folder
        # What a wrapper starts may speak the Runtime API in place of the runtime.
        has_api = bool(extensions or interpreter.is_custom or wrapper)
        api = await self._api(version, len(extensions), variables, network) if has_api else None
        process = await Process.start(
            self._sandboxes,
            replace(interpreter, command=_command(interpreter, extensions, wrapper)),
            limits,
            task=code,
            layers=await asyncio.to_thread(_empty, self._root / "nothing") if layers is None else layers,
            variables=variables,
            api=api,
            trusted=await self._trust.made(),
            network=network,
        )
        return process, None

    async def _child(
        self, package: str, code: Path, interpreter: Interpreter, limits: Limits, network: Network | None
    ) -> WarmProcess | None:
        """Return a process that has waited, and sees a package now; None where none waits, or there are many files.

        Raises OSError.
        """
        if not await self._is_small(package, code):
            return None
        child = await self._nursery.take(interpreter, network)
        if child is not None:
            try:
                await child.dress(code)
                await child.process.sandbox.limit(limits)
            except OSError:
                await child.close()
                raise
        return child

    async def _is_small(self, package: str, folder: Path) -> bool:
        if package not in self._files:
            if len(self._files) >= _COUNTED_PACKAGES:
                self._files.clear()
            self._files[package] = await asyncio.to_thread(nursery.count, folder, nursery.MOST_FILES)
        return self._files[package] <= nursery.MOST_FILES

    async def _layers(self, version: Version) -> Path | None:
        """Return the folder that has a version's layers, one over the other; None where it has none."""
        account = version.place.account
        folders = [await unpacking.unpacked(self._block, account, layer.package.code) for layer in version.layers]
        if len(folders) < 2:
            return folders[0] if folders else None
        return await self._merged.of(folders)

    def _layers_needed(self) -> set[Layers]:
        return {tuple(layer.package.code for layer in worker.version.layers) for worker in self._workers}

    async def _credentials(self, version: Version) -> Credentials:
        principal = await roles.open_session(self._block, version)
        issued = self._block.cloud.tokens.issue(principal, self._block.clock.now() + _CREDENTIALS_SECONDS)
        return Credentials(issued.access_key, issued.secret_key, issued.session_token, issued.expires)

    async def close(self) -> None:
        """End all workers."""
        self._closed = True
        if self._ticking is not None:
            self._ticking.cancel()
        await self.snapshots.close()
        await self._nursery.close()
        await asyncio.gather(*(worker.close(hurried=True) for worker in self._workers), return_exceptions=True)
        if self._starting:
            await asyncio.wait(self._starting)
        if self._followed:
            await asyncio.wait(self._followed, timeout=_LAST_SECONDS)
        self._networks.close()


def _extensions(layers: Path) -> list[str]:
    """Return the programs that are to run beside the runtime, as the sandbox sees them."""
    folder = layers / "extensions"
    if not folder.is_dir():
        return []
    programs = sorted(path for path in folder.iterdir() if path.is_file() and os.access(path, os.X_OK))
    return [f"{environment.LAYERS_ROOT}/extensions/{path.name}" for path in programs]


def _command(interpreter: Interpreter, extensions: list[str], wrapper: str) -> tuple[str, ...]:
    """Return the command of a runtime, with what is started before it and what it is started by."""
    command = (wrapper, *interpreter.command) if wrapper and not interpreter.is_custom else interpreter.command
    if not extensions:
        return command
    # What they print is kept apart: see `Process.start`.
    script = "".join(f"{shlex.quote(program)} >&2 &\n" for program in extensions)
    return ("/bin/sh", "-c", f'{script}exec "$@" 2>&1', "sh", *command)


def _starting(limits: Limits) -> Limits:
    """Return limits for the time of a start: a whole processor, at least."""
    return limits._replace(cpus=max(1.0, limits.cpus))


def _empty(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    return folder
