"""One process of one version: it starts, serves one invocation at a time, and ends.

What may follow what is in one table, `_MAY`. Time that a function is given, and that it takes, is real time, whatever
the cloud's clock says.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from enum import Enum, auto
from pathlib import Path
from signal import strsignal
from time import perf_counter
from typing import Any

import msgspec

from cloudlet.core import AwsError
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.errors import unavailable
from cloudlet.core.kernel.system_clock import wall_time
from cloudlet.engines.sandbox import Limits
from cloudlet.services.lambda_.execution import environment, frames, levels, nursery, platform_events
from cloudlet.services.lambda_.execution.invocation import Invocation, Outcome, error_document, error_type
from cloudlet.services.lambda_.execution.log_stream import LogStream, lines_of
from cloudlet.services.lambda_.execution.platform_events import Event, Report
from cloudlet.services.lambda_.execution.process import Process
from cloudlet.services.lambda_.execution.runtime_api import RuntimeApi
from cloudlet.services.lambda_.execution.streaming import Stream
from cloudlet.services.lambda_.functions.function import Version

log = logging.getLogger("cloudlet.lambda")
_encode = msgspec.json.Encoder().encode

WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"
"""The variable that names a program by which the runtime is started (developer guide, "Wrapper scripts")."""
SNAP_START = "snap-start"
"""The initialization of what is halted once it is initialised, and goes on when it is wanted."""
_START_SECONDS = 10.0
_DELAYS = 5
"""The number of times that a busy machine may add to it at most."""
_SNAPSHOT_SECONDS = 130.0
"""Developer guide, "Lambda SnapStart runtime hooks": so long initialisation may take for a snapshot, at least."""
_RESTORE_SECONDS = 10.0
_HALTED_SECONDS = 0.01
"""The time from an answer to the halt: the next invocation may come at once."""
_LOOK_SECONDS = 0.05
"""How often it is looked how much memory an invocation holds."""
_MB = 1 << 20
_MB_OF_A_PROCESSOR = 1769
"""Developer guide, "Configure Lambda function memory": at so much a function has one processor."""
_LEAST_PROCESSOR = 0.5
"""More than AWS gives to small functions: nobody waits for tests that have a fourteenth of a processor."""
_SPARE_MB = 40
"""Of memory, beyond the function's own, that the runtime has for itself."""
RENEWED_SECONDS = 600.0
"""So long before its credentials expire a process gets no more invocations."""


class State(Enum):
    """What a worker is doing."""

    STARTING = auto()
    HELD = auto()
    """Initialised, and halted until it is restored."""
    RESTING = auto()
    SERVING = auto()
    ENDED = auto()


_MAY: Mapping[State, frozenset[State]] = {
    State.STARTING: frozenset((State.HELD, State.RESTING, State.ENDED)),
    State.HELD: frozenset((State.RESTING, State.ENDED)),
    State.RESTING: frozenset((State.SERVING, State.ENDED)),
    State.SERVING: frozenset((State.RESTING, State.ENDED)),
    State.ENDED: frozenset((State.ENDED,)),
}


class InitError(Exception):
    """The function could not be started; `outcome` is what is answered."""

    def __init__(self, outcome: Outcome, worker: Worker | None = None) -> None:
        """`worker` is what was to serve; None where nothing was started."""
        super().__init__(outcome.error)
        self.outcome = outcome
        self._worker = worker

    def told(self, invocation: Invocation) -> Outcome:
        """Return what an invocation is answered that was to be served, which the log tells of, too."""
        if self._worker is not None:
            self._worker.fail(invocation, self.outcome)
        return self.outcome


class Worker:
    """A version's process."""

    def __init__(
        self,
        block: Block,
        version: Version,
        process: Process,
        log_stream: LogStream,
        folder: Path | None,
        expires: float,
        initialization: str,
    ) -> None:
        """`folder` is removed with it; `expires` is when its credentials do, in seconds since the epoch.

        `initialization` is on-demand, provisioned-concurrency or snap-start.
        """
        self.version = version
        self.state = State.STARTING
        self.log = log_stream
        self.rested_since = 0.0
        """By the event loop's clock."""
        self._block = block
        self._process = process
        self._folder = folder
        self._expires = expires
        self._initialization = initialization
        self._init_log: LogStream | None = None
        """Where the start was logged of one that was restored: what it does since has a stream of its own."""
        self._answered: asyncio.Future[Outcome] | None = None
        self._has_failed = False
        self._stream: Stream | None = None
        self._init_seconds: float | None = None
        self._restore_seconds: float | None = None
        self._halting: asyncio.TimerHandle | None = None
        self._memory = 0
        self._looked = 0.0
        process.on_frame = self._frame
        process.on_line = self._line
        process.on_extension_line = self._extension_line
        if process.api is not None:
            process.api.on_event = self._tell
        process.on_lost = self._hung_up

    @property
    def is_usable(self) -> bool:
        """Whether it can be given an invocation."""
        return self.state is State.RESTING and self._is_fresh

    @property
    def is_restorable(self) -> bool:
        """Whether it is held, and can go on."""
        return self.state is State.HELD and self._is_fresh

    @property
    def _is_fresh(self) -> bool:
        is_there = not (self._process.lost or self._process.is_cut_off or self._has_failed)
        return is_there and self._expires - self._block.clock.now() > RENEWED_SECONDS

    @property
    def is_alive(self) -> bool:
        """Whether it serves an invocation, or can be given one."""
        return self.state is State.SERVING or self.is_usable

    def _become(self, state: State) -> None:
        if state not in _MAY[self.state]:
            raise RuntimeError(f"a worker that is {self.state.name} cannot be {state.name}")
        self.state = state

    async def start(
        self, variables: dict[str, str], libraries: tuple[str, ...], began: float, request_id: str = ""
    ) -> None:
        """Have the process become the function; `began` is when its start was, by `perf_counter`. Raises InitError.

        `request_id` is of the invocation that waits for it, if one does.
        """
        self._tell(platform_events.init_start(self.version, self._initialization))
        self._process.tell_early_lines()
        self._answered = asyncio.get_running_loop().create_future()
        named = self._process.sandbox.translated
        self._process.send(
            frames.ASSIGN,
            {
                # What a wrapper has exported stays; the rest it was given.
                "environment": None
                if self.version.variables.get(WRAPPER)
                else {name: named(value) for name, value in variables.items()},
                "handler": self.version.handler,
                "taskRoot": named(environment.TASK_ROOT),
                "layersRoot": named(environment.LAYERS_ROOT),
                "libraries": [named(folder) for folder in libraries],
            },
        )
        is_held = self._initialization == SNAP_START
        limit = max(_SNAPSHOT_SECONDS if is_held else _START_SECONDS, float(self.version.timeout))
        outcome = await self._settled(self._answered, limit, request_id, may_be_delayed=True)
        if not outcome.error and self._process.api is not None:
            outcome = await self._rested(self._process.api, limit, request_id)
        if is_held and not outcome.error and not self._may_be_held():
            outcome = Outcome(error_document(_NO_SNAPSHOTS, _SAID_NOTHING), _NO_SNAPSHOTS)
        seconds = perf_counter() - began
        self._tell(platform_events.init_done(self._initialization, outcome.error))
        self._tell(platform_events.init_report(self._initialization, seconds, outcome.error))
        if outcome.error:
            self._become(State.ENDED)
            outcome.duration = seconds
            raise InitError(outcome, self)
        if self._process.api is not None:
            self._process.api.begun()
        if is_held:
            self._become(State.HELD)
            self.halt()
        else:
            self._init_seconds = seconds
            await self._begin_to_rest()

    async def _rested(self, api: RuntimeApi, seconds: float, request_id: str) -> Outcome:
        """Return what has become of the start, once its extensions are there too."""
        try:
            await asyncio.wait_for(api.rested(), seconds)
        except TimeoutError:
            self._process.sandbox.kill()
            return _broken_off(_TIMED_OUT, _timed_out(seconds), request_id)
        return Outcome(b"")

    def _may_be_held(self) -> bool:
        """Whether it is made to go on from a snapshot, which images have to say."""
        image, api = self.version.image, self._process.api
        return image is None or image.allows_snapshots or (api is not None and api.knows_snapshots)

    async def restore(self) -> None:
        """Let it go on from where it was initialised. Raises AwsError where that fails, which ends it."""
        began = perf_counter()
        self._init_log, self.log = self.log, LogStream(self._block, self.version)
        self._tell(platform_events.restore_start(self.version))
        self._go_on()
        self._answered = asyncio.get_running_loop().create_future()
        self._process.send(frames.RESTORE, {})
        outcome = await self._settled(self._answered, _RESTORE_SECONDS)
        seconds = perf_counter() - began
        self._tell(platform_events.restore_done(outcome.error))
        self._tell(platform_events.restore_report(seconds, outcome.error))
        if outcome.error:
            self._become(State.ENDED)
            raise _not_restored(outcome)
        self._restore_seconds = seconds
        await self._begin_to_rest()

    async def _begin_to_rest(self) -> None:
        # Until here it had a whole processor, as on AWS.
        await self._process.sandbox.limit(limits_of(self.version))
        self._become(State.RESTING)
        self.rested_since = asyncio.get_running_loop().time()

    async def invoke(self, invocation: Invocation, stream: Stream | None = None) -> Outcome:
        """Serve an invocation. A function that answers in pieces gives them to `stream`, or else all at once.

        Raises AwsError where it is closed meanwhile.
        """
        if self.state is State.ENDED:
            raise unavailable()
        self._become(State.SERVING)
        self._go_on()
        version = self.version
        self.log.begin()
        self._tell(platform_events.start(version, invocation.request_id))
        self._stream = stream or Stream(None)
        self._answered = asyncio.get_running_loop().create_future()
        init, self._init_seconds = self._init_seconds, None
        restore, self._restore_seconds = self._restore_seconds, None
        began = perf_counter()
        told = _told(invocation, version)
        if self._process.api is not None:
            self._process.api.announce(told)
        self._process.send(frames.INVOKE, told, invocation.payload)
        if self._process.lost:
            # It has gone a moment ago, and says so only once.
            self._answer(Outcome(b"", _KILLED))
        outcome = await self._settled(self._answered, float(version.timeout), invocation.request_id)
        outcome.duration = perf_counter() - began
        outcome.init = init or 0.0
        outcome.restore = restore or 0.0
        await self._report(invocation, outcome, init, restore)
        if self.state is State.SERVING:
            self._become(State.ENDED if self._process.lost else State.RESTING)
        self.rested_since = asyncio.get_running_loop().time()
        return outcome

    async def _report(
        self, invocation: Invocation, outcome: Outcome, init: float | None, restore: float | None
    ) -> None:
        # An error that the function reports itself is a success of the runtime's.
        reported = outcome.error if outcome.error in (_KILLED, _OUT_OF_MEMORY) else ""
        status = "timeout" if outcome.error == _TIMED_OUT else "error" if reported else "success"
        found = Report(outcome.duration, await self._held(), init, restore, status, reported)
        if status == "timeout":
            told = _timed_out(self.version.timeout)
            self._tell(platform_events.fault(invocation.request_id, told, self._block.clock.now()))
        self._tell_report(invocation, found)
        outcome.log = self.log.tail()

    def _tell_report(self, invocation: Invocation, found: Report) -> None:
        self._tell(platform_events.end(invocation.request_id, found))
        self._tell(platform_events.report(self.version, invocation.request_id, found))

    def fail(self, invocation: Invocation, outcome: Outcome) -> None:
        """Tell of an invocation that was not served, since the start has failed with this outcome."""
        is_late = outcome.error == _TIMED_OUT
        status, error = ("timeout", "") if is_late else ("error", outcome.error)
        self._tell(platform_events.start(self.version, invocation.request_id))
        self._tell_report(invocation, Report(outcome.duration, self._memory, None, None, status, error))
        outcome.log = self.log.tail()

    async def _held(self) -> int:
        """Return the most memory that was seen, in bytes; it is looked again at times."""
        now = perf_counter()
        if now - self._looked > _LOOK_SECONDS and not self._process.lost:
            self._looked = now
            self._memory = max(self._memory, await self._process.sandbox.memory())
        return self._memory

    async def _settled(
        self,
        answered: asyncio.Future[Outcome],
        seconds: float,
        request_id: str = "",
        *,
        may_be_delayed: bool = False,
    ) -> Outcome:
        """Wait for the process to answer; end it where it takes too much time or memory.

        `may_be_delayed`: where others keep it waiting for a processor, that does not count, within bounds.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        deadline = began + seconds
        most = (self.version.memory + _SPARE_MB) * _MB
        while not answered.done():
            left = deadline - loop.time()
            if left <= 0 and may_be_delayed:
                deadline = began + seconds + min(await self._process.sandbox.delay(), _DELAYS * seconds)
                left = deadline - loop.time()
            if left <= 0 and not answered.done():
                self._end(_broken_off(_TIMED_OUT, _timed_out(seconds), request_id))
                break
            await asyncio.wait([answered], timeout=min(max(left, 0.001), _LOOK_SECONDS))
            if not answered.done() and await self._held() > most and not answered.done():
                ended = _broken_off(_KILLED, "Runtime exited with error: signal: killed", request_id)
                ended.error = _OUT_OF_MEMORY
                self._end(ended)
        outcome = answered.result()
        if outcome.error == _KILLED:
            # Why it has gone is known a moment later.
            outcome.payload = _broken_off(_KILLED, await self._exit(), request_id).payload
        return outcome

    def _end(self, outcome: Outcome) -> None:
        """End the process; this is what is answered."""
        self._process.sandbox.kill()
        self._become(State.ENDED)
        self._answer(outcome)

    async def _exit(self) -> str:
        """Say how the process has ended."""
        await asyncio.wait([self._process.sandbox.ended], timeout=1)
        ended = self._process.sandbox.ended
        status = ended.result() if ended.done() else 1
        if status == 0:
            return "Runtime exited without providing a reason"
        if status in (-9, 137):
            return "Runtime exited with error: signal: killed"
        how = f"signal: {(strsignal(-status) or str(-status)).lower()}" if status < 0 else f"exit status {status}"
        return f"Runtime exited with error: {how}"

    def _answer(self, outcome: Outcome) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(outcome)
        if self._stream is not None:
            self._stream.end(outcome.error)

    def _frame(self, kind: bytes, told: dict[str, Any], payload: bytes) -> None:
        if kind == frames.ANSWER or kind == frames.READY:
            self._answer(Outcome(payload))
        elif kind == frames.LOG:
            self._print("function", payload.decode("utf-8", "replace"), whole=bool(told.get("whole")))
        elif kind in (frames.FAILED, frames.INIT_FAILED):
            # It is about to end: what fails otherwise only answers what was asked.
            self._has_failed = kind == frames.INIT_FAILED
            self._answer(Outcome(payload, error_type(payload)))
        elif self._stream is None:
            return
        elif kind == frames.STREAM:
            self._stream.begin(str(told.get("contentType", "")), self._process.link.hold)
        elif kind == frames.CHUNK:
            self._stream.feed(payload)
        elif kind == frames.STREAM_END:
            error = str(told.get("errorType", ""))
            self._answer(Outcome(_encode(told) if error else self._stream.collected(), error))

    def _line(self, line: str) -> None:
        self._print("function", line)

    def _extension_line(self, line: str) -> None:
        self._print("extension", line)

    def _print(self, kind: str, text: str, *, whole: bool = False) -> None:
        """Log what the function, or an extension, has printed."""
        lines = lines_of(text, whole=whole)
        least = self.version.logging.application_level if kind == "function" else ""
        wanted = [line for line in lines if levels.is_wanted(line, least)] if least else lines
        if len(wanted) == len(lines):
            self.log.write(text, whole=whole)
        elif wanted:
            self.log.write("".join(f"{line}\n" for line in wanted), whole=False)
        if self._process.api is not None:
            now = platform_events.moment(self._block.clock.now())
            for line in lines:
                self._process.api.telemetry.tell({"time": now, "type": kind, "record": line})

    def _tell(self, event: Event) -> None:
        now = self._block.clock.now()
        line = event.line(self.version.logging, now)
        if line is not None:
            self.log.write(line)
        if self._process.api is not None:
            self._process.api.telemetry.tell(event.told(now))

    def _hung_up(self) -> None:
        if self.state is not State.RESTING:
            self._answer(Outcome(b"", _KILLED))

    @property
    def may_be_busy(self) -> bool:
        """Whether its runtime or extensions may still be at an invocation that was answered."""
        return self._process.api is not None

    async def rested(self) -> None:
        """Wait until runtime and extensions are done too; end it where that takes longer than an invocation may."""
        if self._process.api is not None:
            try:
                await asyncio.wait_for(self._process.api.finished(), self.version.timeout)
            except TimeoutError:
                self._process.sandbox.kill()

    def has_worked(self) -> bool:
        """Whether it has taken processor time since this was last asked. Waits for the system."""
        return self._process.sandbox.has_worked()

    def halt_soon(self) -> None:
        """Take its processor away in a moment, unless it gets an invocation."""
        self._halting = asyncio.get_running_loop().call_later(_HALTED_SECONDS, self.halt)

    def _go_on(self) -> None:
        if self._halting is not None:
            self._halting.cancel()
        self._process.sandbox.thaw()

    def halt(self) -> None:
        """Take its processor away until the next invocation."""
        try:
            self._process.sandbox.freeze()
        except OSError as error:
            log.warning("a process of %s cannot be halted: %s", self.version.place.name, error)

    async def close(self, *, hurried: bool = False) -> None:
        """End it, and leave nothing of it behind; `hurried`: Cloudlet is about to stop."""
        self._become(State.ENDED)
        if self._halting is not None:
            self._halting.cancel()
        if self._answered is not None and not self._answered.done():
            # Who waits would do so for as long as the function may take.
            self._answered.set_exception(unavailable())
            # There may be nobody: an event is given to the function again.
            self._answered.exception()
        if self._stream is not None:
            self._stream.end()
        await self._process.close()
        if self._init_log is not None:
            await self._init_log.close(hurried=hurried)
        await self.log.close(hurried=hurried)
        if self._folder is not None:
            await asyncio.to_thread(nursery.remove, self._folder)


_NO_SNAPSHOTS = "Runtime.SnapStartNotSupported"
_SAID_NOTHING = (
    "Error: the image neither calls /runtime/restore/next nor has the label com.amazonaws.lambda.feature.snapstart"
)
_TIMED_OUT, _KILLED, _OUT_OF_MEMORY = "Sandbox.Timedout", "Runtime.ExitError", "Runtime.OutOfMemory"


def limits_of(version: Version) -> Limits:
    """Return what a version's process may take."""
    share = max(_LEAST_PROCESSOR, version.memory / _MB_OF_A_PROCESSOR)
    return Limits((version.memory + _SPARE_MB) * _MB, version.ephemeral * _MB, share)


def _broken_off(kind: str, why: str, request_id: str) -> Outcome:
    """Return what is answered where the process has ended; without a request, where it was to be kept ready."""
    return Outcome(
        error_document(kind, f"RequestId: {request_id} Error: {why}" if request_id else f"Error: {why}"), kind
    )


def _timed_out(seconds: float) -> str:
    return f"Task timed out after {seconds:.2f} seconds"


def _not_restored(outcome: Outcome) -> AwsError:
    """Return what is answered where a process could not go on. API reference, "Invoke"."""
    if outcome.error == _TIMED_OUT:
        message = "Lambda couldn't restore the snapshot within the timeout limit."
        return AwsError("SnapStartTimeoutException", message, status=408, Type="User")
    message = (
        "The afterRestore() runtime hook encountered an error. For more information, check the Amazon CloudWatch logs."
    )
    return AwsError("SnapStartException", message, status=400, Type="User")


def _told(invocation: Invocation, version: Version) -> dict[str, Any]:
    told: dict[str, Any] = {
        "requestId": invocation.request_id,
        "invokedFunctionArn": invocation.invoked_arn,
        "deadlineMs": int((wall_time() + version.timeout) * 1000),
    }
    if invocation.trace:
        told["traceId"] = invocation.trace
    if invocation.client_context is not None:
        told["clientContext"] = invocation.client_context
    return told
