"""The Runtime API and the Extensions API, as a sandbox's programs reach them at `AWS_LAMBDA_RUNTIME_API`.

Developer guide, "Using the Lambda runtime API for custom runtimes", "Using the Lambda Extensions API to create
extensions". What is told of the runtime goes where a channel's frames go: see `frames`.
"""

from __future__ import annotations

import asyncio
import logging
import re
from base64 import b64decode
from collections.abc import Callable
from typing import Any

import msgspec

from cloudlet.core.kernel.ids import uuid4
from cloudlet.core.kernel.system_clock import wall_time
from cloudlet.engines.sandbox import Sandbox
from cloudlet.services.lambda_.execution import frames, platform_events
from cloudlet.services.lambda_.execution.http_endpoint import Endpoint, Reply, Request
from cloudlet.services.lambda_.execution.invocation import ANSWER_BYTES, too_large
from cloudlet.services.lambda_.execution.networks import Network
from cloudlet.services.lambda_.execution.platform_events import Event
from cloudlet.services.lambda_.execution.telemetry import LOGS_PATH, TELEMETRY_PATH, Invalid, Telemetry
from cloudlet.services.lambda_.functions.function import Version

log = logging.getLogger("cloudlet.lambda")

_RUNTIME = "/2018-06-01/runtime"
_EXTENSION = "/2020-01-01/extension"
_INVOCATION = re.compile(rf"{_RUNTIME}/invocation/(?P<id>[^/]+)/(?P<what>response|error)")
_MOST_EXTENSIONS = 10
_SHUTDOWN_SECONDS = 2.0
_LOOKS_SECONDS = (0.01, 0.05, 0.1, 0.2, 0.0)
"""The system's list of connections may miss one while others come and go: it is looked again."""
_OTHER_BYTES = 256 << 10
"""As large is the body of a request that is no answer."""
_encode = msgspec.json.Encoder().encode


class _Extension:
    """A program beside the runtime that is told of what happens."""

    def __init__(self, name: str, events: list[str]) -> None:
        self.name = name
        self.events = events
        self.told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.rests = asyncio.Event()
        """Set while it waits for the next event: it has done what there was to do."""


class RuntimeApi:
    """Both APIs for one sandbox. It is the way to the runtime where that is not Cloudlet's own."""

    def __init__(
        self, version: Version, expected: int, *, is_held: bool = False, network: Network | None = None
    ) -> None:
        """`expected` is how many extensions are going to register; `is_held`: it is restored after its start.

        `network` is that of a function in a VPC.
        """
        self.on_frame: frames.OnFrame | None = None
        self.on_event: Callable[[Event], None] | None = None
        """Is told of what happens to extensions."""
        self.telemetry = Telemetry(self._note, network)
        self._network = network
        self._version = version
        self._expected = expected
        self._extensions: dict[str, _Extension] = {}
        self._registered = asyncio.Event()
        self._invocations: asyncio.Queue[tuple[dict[str, Any], bytes]] = asyncio.Queue()
        self._current = ""
        self._rests = asyncio.Event()
        """Set unless an invocation was sent this way, and the runtime has not asked for the next one since."""
        self._rests.set()
        self._sandbox: asyncio.Future[Sandbox] = asyncio.get_running_loop().create_future()
        self._endpoint = Endpoint(self._handle, self._streams, self._largest, self._admits)
        self._asked = False
        self._restored = asyncio.Event() if is_held else None
        """Set once the process goes on from where it was held; None where it is not to be."""
        self.knows_snapshots = False
        """Whether the runtime has asked to be told that it was restored."""

    @property
    def address(self) -> str:
        """Host and port, for `AWS_LAMBDA_RUNTIME_API`."""
        return self._endpoint.address

    @property
    def expects_extensions(self) -> bool:
        """Whether there are programs that run beside the runtime."""
        return self._expected > 0

    async def listen(self) -> None:
        """Begin to serve. Raises KeeperError."""
        await self._endpoint.listen(None if self._network is None else await self._network.listen())
        if not self._expected:
            self._registered.set()

    def serve(self, sandbox: Sandbox) -> None:
        """Let the programs of a sandbox in, and nobody else."""
        self._sandbox.set_result(sandbox)

    async def _admits(self, port: int) -> bool:
        sandbox = await self._sandbox
        for pause in _LOOKS_SECONDS:
            if await asyncio.to_thread(sandbox.has_connection, port, self._endpoint.port):
                return True
            await asyncio.sleep(pause)
        log.warning("the Runtime API of %s was asked by a program that is none of its own", self._version.arn)
        return False

    # -- as the way to a runtime: `frames.Link`

    def send(self, kind: bytes, told: dict[str, Any], payload: bytes = b"") -> None:
        if kind == frames.INVOKE:
            self._current = told["requestId"]
            self._rests.clear()
            self._invocations.put_nowait((told, payload))
        elif kind == frames.RESTORE and self._restored is not None:
            self._restored.set()
            if self._asked:
                # It knows nothing of snapshots, and waits for an invocation since its start.
                self._tell(frames.READY, {}, b"")

    def hold(self, held: bool) -> None:
        self._endpoint.hold(held)

    def close(self) -> None:
        self.telemetry.close()
        self._endpoint.close()

    # -- extensions

    def announce(self, told: dict[str, Any]) -> None:
        """Tell extensions of an invocation."""
        event = {
            "eventType": "INVOKE",
            "deadlineMs": told["deadlineMs"],
            "requestId": told["requestId"],
            "invokedFunctionArn": told["invokedFunctionArn"],
            "tracing": {"type": "X-Amzn-Trace-Id", "value": told.get("traceId", "")},
        }
        for extension in self._extensions.values():
            if "INVOKE" in extension.events:
                extension.rests.clear()
                extension.told.put_nowait(event)

    async def rested(self) -> None:
        """Wait until all extensions have registered and wait for the next event."""
        await self._registered.wait()
        await _all_rest(list(self._extensions.values()))

    async def finished(self) -> None:
        """Wait until the runtime waits for the next invocation and extensions for the next event, or all has ended.

        Developer guide, "Lambda execution environment lifecycle": the invoke phase lasts until both ask for the next.
        """
        waiting = asyncio.get_running_loop().create_task(self._all_wait())
        ended: asyncio.Future[Any] = self._sandbox.result().ended
        try:
            await asyncio.wait((waiting, ended), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()

    async def _all_wait(self) -> None:
        await self._rests.wait()
        await self.rested()

    def begun(self) -> None:
        """Tell that all extensions are there: the start is over."""
        for extension in self._extensions.values():
            self._note(platform_events.extension(extension.name, extension.events))
        self.telemetry.seal()

    async def shut_down(self) -> None:
        """Tell extensions that all is going to end, and give them a moment."""
        wanted = [each for each in self._extensions.values() if "SHUTDOWN" in each.events]
        await self.telemetry.flush()
        deadline = int((wall_time() + _SHUTDOWN_SECONDS) * 1000)
        for extension in wanted:
            extension.rests.clear()
            extension.told.put_nowait({"eventType": "SHUTDOWN", "shutdownReason": "spindown", "deadlineMs": deadline})
        if wanted and self._sandbox.done():
            done = asyncio.get_running_loop().create_task(_all_rest(wanted))
            first: list[asyncio.Future[Any]] = [self._sandbox.result().ended, done]
            await asyncio.wait(first, timeout=_SHUTDOWN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            done.cancel()

    # -- HTTP

    async def _handle(self, request: Request) -> Reply:
        reply = await self._reply(request)
        if request.is_too_large and reply.status < 400:
            return _refused(
                413, "RequestEntityTooLarge", f"Exceeded maximum allowed payload size ({ANSWER_BYTES} bytes)."
            )
        return reply

    async def _reply(self, request: Request) -> Reply:
        path = request.path
        if path == f"{_RUNTIME}/invocation/next" and request.method == "GET":
            return await self._next()
        if path == f"{_RUNTIME}/init/error" and request.method == "POST":
            self._tell(frames.INIT_FAILED, {}, _error_of(request))
            return Reply()
        if path == f"{_RUNTIME}/restore/next" and request.method == "GET":
            return await self._restore()
        if path == f"{_RUNTIME}/restore/error" and request.method == "POST":
            if self._restored is None or not self._restored.is_set() or self._asked:
                return _refused(403, "InvalidStateTransition", "nothing is being restored")
            self._tell(frames.INIT_FAILED, {}, _error_of(request))
            return Reply()
        match = _INVOCATION.fullmatch(path)
        if match is not None and request.method == "POST":
            return self._answered(match["id"], match["what"], request)
        if path == f"{_EXTENSION}/register" and request.method == "POST":
            return self._register(request)
        if path == f"{_EXTENSION}/event/next" and request.method == "GET":
            return await self._next_event(request)
        if path in (f"{_EXTENSION}/init/error", f"{_EXTENSION}/exit/error") and request.method == "POST":
            return self._extension_failed(request)
        if path.rstrip("/") in (TELEMETRY_PATH, LOGS_PATH) and request.method == "PUT":
            return self._subscribe(request)
        return _refused(404, "InvalidPath", f"there is no {request.method} {path}")

    async def _next(self) -> Reply:
        self._rests.set()
        if not self._asked:
            self._asked = True
            await self._registered.wait()
            self._tell(frames.READY, {}, b"")
        told, payload = await self._invocations.get()
        headers = {
            "Lambda-Runtime-Aws-Request-Id": told["requestId"],
            "Lambda-Runtime-Deadline-Ms": str(told["deadlineMs"]),
            "Lambda-Runtime-Invoked-Function-Arn": told["invokedFunctionArn"],
        }
        if told.get("traceId"):
            headers["Lambda-Runtime-Trace-Id"] = told["traceId"]
        if told.get("clientContext") is not None:
            headers["Lambda-Runtime-Client-Context"] = _encode(told["clientContext"]).decode()
        return Reply(200, payload, headers)

    async def _restore(self) -> Reply:
        """Tell that the runtime is initialised, and answer once it goes on."""
        if self._restored is None or self._restored.is_set() or self._asked:
            return _refused(403, "InvalidStateTransition", "this process starts from no snapshot")
        self.knows_snapshots = True
        await self._registered.wait()
        self._tell(frames.READY, {}, b"")
        await self._restored.wait()
        return Reply(200)

    def _answered(self, request_id: str, what: str, request: Request) -> Reply:
        if request_id != self._current:
            return _refused(400, "InvalidRequestID", "Invalid request ID")
        self._current = ""
        if what == "error" or request.is_too_large:
            self._tell(frames.FAILED, {}, _error_of(request))
        elif not _is_streamed(request):
            self._tell(frames.ANSWER, {}, request.body)
        return Reply()

    def _largest(self, request: Request) -> int:
        match = _INVOCATION.fullmatch(request.path)
        if match is None:
            return _OTHER_BYTES
        return ANSWER_BYTES if match["id"] == self._current else 0

    def _streams(self, request: Request) -> Callable[[bytes | None], None] | None:
        match = _INVOCATION.fullmatch(request.path)
        if match is None or match["what"] != "response" or match["id"] != self._current or not _is_streamed(request):
            return None
        self._tell(frames.STREAM, {"contentType": request.headers.get("content-type", "")}, b"")

        def take(piece: bytes | None) -> None:
            if piece is not None:
                self._tell(frames.CHUNK, {}, piece)
            else:
                self._tell(frames.STREAM_END, _broken_off(request), b"")

        return take

    def _register(self, request: Request) -> Reply:
        name = request.headers.get("lambda-extension-name", "")
        try:
            events = msgspec.json.decode(request.body, type=dict[str, list[str]]).get("events", [])
        except (ValueError, RecursionError):
            return _refused(400, "InvalidRequestFormat", "the body is not as it should be")
        if not name:
            return _refused(400, "Extension.InvalidExtensionName", "the header Lambda-Extension-Name is missing")
        if len(self._extensions) >= _MOST_EXTENSIONS:
            return _refused(400, "Extension.TooManyExtensions", f"there may be {_MOST_EXTENSIONS} extensions")
        if not set(events) <= {"INVOKE", "SHUTDOWN"}:
            return _refused(400, "Extension.InvalidEventType", "events are INVOKE and SHUTDOWN")
        identifier = uuid4()
        self._extensions[identifier] = _Extension(name, events)
        if len(self._extensions) >= self._expected:
            self._registered.set()
        version = self._version
        answer = {
            "functionName": version.place.name,
            "functionVersion": version.version,
            "handler": version.handler,
            "accountId": version.place.account,
        }
        return Reply(200, _encode(answer), {"Lambda-Extension-Identifier": identifier})

    def _subscribe(self, request: Request) -> Reply:
        extension = self._extensions.get(request.headers.get("lambda-extension-identifier", ""))
        if extension is None:
            return _refused(403, "Extension.UnknownExtensionIdentifier", "Unknown extension: register first")
        path = request.path.rstrip("/")
        try:
            if self.telemetry.subscribe(extension.name, path, request.body, self._sandbox.result()):
                return Reply(200, b'"OK"')
        except Invalid as error:
            return _refused(400, "ValidationError", str(error))
        api = "Logs" if path == LOGS_PATH else "Telemetry"
        return _refused(403, f"{api}.SubscriptionClosed", f"{api} API subscription is closed already")

    def _note(self, event: Event) -> None:
        if self.on_event is not None:
            self.on_event(event)

    def _extension_failed(self, request: Request) -> Reply:
        kind = request.headers.get("lambda-extension-function-error-type", "Extension.Unknown")
        extension = self._extensions.get(request.headers.get("lambda-extension-identifier", ""))
        if extension is None:
            return _refused(403, "Extension.UnknownExtensionIdentifier", "Unknown extension: register first")
        state = "InitError" if "/init/" in request.path else "ExitError"
        self._note(platform_events.extension(extension.name, extension.events, state, kind))
        self._tell(frames.INIT_FAILED, {}, _encode({"errorType": kind, "errorMessage": "an extension has failed"}))
        return Reply()

    async def _next_event(self, request: Request) -> Reply:
        extension = self._extensions.get(request.headers.get("lambda-extension-identifier", ""))
        if extension is None:
            return _refused(403, "Extension.UnknownExtensionIdentifier", "Unknown extension: register first")
        extension.rests.set()
        event = await extension.told.get()
        return Reply(200, _encode(event), {"Lambda-Extension-Event-Identifier": uuid4()})

    def _tell(self, kind: bytes, told: dict[str, Any], payload: bytes) -> None:
        if self.on_frame is not None:
            self.on_frame(kind, told, payload)


async def _all_rest(extensions: list[_Extension]) -> None:
    for extension in extensions:
        await extension.rests.wait()


def _is_streamed(request: Request) -> bool:
    return request.headers.get("lambda-runtime-function-response-mode", "").lower() == "streaming"


def _broken_off(request: Request) -> dict[str, Any]:
    """Return the error document of a streamed response, of whose trailers one says that it broke off; empty for none.

    Developer guide, "Building a custom runtime for AWS Lambda", "Implementing response streaming in a custom runtime".
    """
    kind = request.headers.get("lambda-runtime-function-error-type")
    if not kind:
        return {}
    try:
        told = msgspec.json.decode(b64decode(request.headers.get("lambda-runtime-function-error-body", "")))
    except (ValueError, RecursionError):
        told = {}
    return {"errorMessage": "", **(told if isinstance(told, dict) else {}), "errorType": kind}


def _error_of(request: Request) -> bytes:
    """Return the error document of a request: its body, or what its header says."""
    if request.is_too_large:
        return too_large().payload
    if request.body:
        return request.body
    kind = request.headers.get("lambda-runtime-function-error-type", "Runtime.Unknown")
    return _encode({"errorType": kind, "errorMessage": ""})


def _refused(status: int, kind: str, message: str) -> Reply:
    return Reply(status, _encode({"errorType": kind, "errorMessage": message}))
