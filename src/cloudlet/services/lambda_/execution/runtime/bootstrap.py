"""Runs a Python function in its sandbox; it is started before it is known which function that will be.

It runs on any Python from 3.9 on, in the sandbox, and imports nothing of Cloudlet. It speaks with Cloudlet over the
Unix socket whose descriptor it is told, in frames as `cloudlet.services.lambda_.execution.frames` describes them. What
the function sees is what AWS's runtime shows it: developer guide, "Building Lambda functions with Python".
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import re
import socket
import struct
import sys
import threading
import time
import traceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    # What this imports, each function waits for.
    from collections.abc import Callable, Iterable
    from typing import Any, NoReturn

MOST_BYTES = 6_291_556
"""Of an answer. A larger one is refused: it is enough to know that it is larger."""
MOST_PRINTED = 262_144
"""Characters of what is printed in one frame."""
CHANNEL = int(os.environ.pop("_CLOUDLET_CHANNEL"))
ASSIGN, RESTORE, INVOKE = b"A", b"V", b"I"
READY, INIT_FAILED, ANSWER, FAILED, LOG = b"R", b"X", b"r", b"e", b"l"
_HEAD = struct.Struct(">IcI")

_socket = socket.socket(fileno=CHANNEL)
_sending = threading.RLock()
"""Who writes a frame has it: what other threads print must not come in the middle of that."""
_interrupting: list[bytes] = []
"""Frames of signal handlers, which have come while one was being written."""
_is_fork = False
_request_id = ""
"""Of the invocation that is served."""


def _read_exactly(size: int) -> bytes:
    parts = []
    while size:
        part = _socket.recv(min(size, 1 << 20))
        if not part:
            # Cloudlet has gone, or wants no more.
            os._exit(0)
        parts.append(part)
        size -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _read() -> tuple[bytes, dict[str, Any], bytes]:
    """Return a frame: its kind, what it says, and its payload."""
    size, kind, told = _HEAD.unpack(_read_exactly(_HEAD.size))
    body = _read_exactly(size)
    return kind, json.loads(body[:told]) if told else {}, body[told:]


def _write(kind: bytes, told: dict[str, Any] | None = None, payload: bytes = b"") -> None:
    if _is_fork:
        _print_of_fork(kind, payload)
        return
    head = b"" if told is None else json.dumps(told).encode()
    frame = _HEAD.pack(len(head) + len(payload), kind, len(head)) + head + payload
    if _sending._is_owned():  # type: ignore[attr-defined]
        _interrupting.append(frame)
        return
    with _sending:
        _socket.sendall(frame)
        while _interrupting:
            _socket.sendall(_interrupting.pop(0))


def _print_of_fork(kind: bytes, payload: bytes) -> None:
    if kind != LOG:
        # The invocation is its parent's to answer.
        os._exit(0)
    while payload:
        payload = payload[os.write(1, payload) :]


def _become_fork() -> None:
    """Hang up in a process that the function has forked: it prints past the channel."""
    global _is_fork
    _is_fork = True
    _socket.close()


def _print(text: str, told: dict[str, Any] | None = None) -> None:
    """Have a text logged: in one frame, so that its lines stay together, or in several, where it is large."""
    begin = 0
    while begin < len(text):
        end = begin + MOST_PRINTED
        if end < len(text):
            end = text.rfind("\n", begin, end) + 1 or end
        _write(LOG, told, text[begin:end].encode("utf-8", "backslashreplace"))
        begin = end


class _Output:
    """Standard output and error."""

    encoding = "utf-8"
    errors = "backslashreplace"
    closed = False

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._held = ""
        self.buffer = self

    def write(self, text: str | bytes) -> int:
        if isinstance(text, (bytes, bytearray, memoryview)):
            text = bytes(text).decode("utf-8", "backslashreplace")
        self._held += text
        if self._held.endswith("\n") or len(self._held) > 1 << 16:
            self.flush()
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        held, self._held = self._held, ""
        _print(held)

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return False

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False


class _Identity:
    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self, told: dict[str, Any]) -> None:
        self.cognito_identity_id = told.get("cognitoIdentityId")
        self.cognito_identity_pool_id = told.get("cognitoIdentityPoolId")


class _Client:
    def __init__(self, told: dict[str, Any]) -> None:
        for name in ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name"):
            setattr(self, name, told.get(name))


class _ClientContext:
    def __init__(self, told: dict[str, Any]) -> None:
        self.client = _Client(told["client"]) if told.get("client") else None
        self.custom = told.get("custom")
        self.env = told.get("env")


class LambdaContext:
    """What a handler is told of its invocation."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.aws_request_id = told["requestId"]
        self.invoked_function_arn = told["invokedFunctionArn"]
        # Where it has started from a snapshot they are not known.
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.client_context = _ClientContext(told["clientContext"]) if told.get("clientContext") else None
        self.identity = _Identity(told.get("identity") or {})
        self._deadline = told["deadlineMs"]

    def get_remaining_time_in_millis(self) -> int:
        return max(int(self._deadline - time.time() * 1000), 0)

    def log(self, message: object) -> None:
        sys.stdout.write(str(message))
        sys.stdout.flush()


class _RequestFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.aws_request_id = _request_id
        return True


class _JsonFormatter(logging.Formatter):
    """The JSON of "Log and monitor Python Lambda functions", with what was given as `extra`."""

    _usual = frozenset(logging.makeLogRecord({}).__dict__) | {"aws_request_id", "message", "asctime"}

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname,
            "message": record.msg if isinstance(record.msg, dict) and not record.args else record.getMessage(),
            "logger": record.name,
            "requestId": _request_id,
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["errorType"] = record.exc_info[0].__name__
            line["errorMessage"] = str(record.exc_info[1])
            line["stackTrace"] = traceback.format_tb(record.exc_info[2])
            line["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
        line.update({key: value for key, value in record.__dict__.items() if key not in self._usual})
        return json.dumps(line, default=str, ensure_ascii=False)


def _log(text: str) -> None:
    """Write one event, of however many lines."""
    sys.stdout.flush()
    _print(text.rstrip("\n") + "\n", {"whole": True})


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _log(self.format(record))


def _set_up_logging() -> None:
    handler = _Handler()
    handler.addFilter(_RequestFilter())
    root = logging.getLogger()
    if os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON":
        handler.setFormatter(_JsonFormatter())
        level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "INFO")
        root.setLevel({"TRACE": "DEBUG", "FATAL": "CRITICAL"}.get(level, level))
    else:
        form = logging.Formatter(
            "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s", "%Y-%m-%dT%H:%M:%S"
        )
        form.converter = time.gmtime
        handler.setFormatter(form)
    root.addHandler(handler)


class _Failure(Exception):
    """A function that cannot even be found."""

    def __init__(self, kind: str, message: str, trace: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.kind = kind
        self.trace = list(trace)


def _load(name: str) -> Callable[[Any, LambdaContext], Any]:
    """Return the function that a handler's name means."""
    try:
        module_name, function_name = name.rsplit(".", 1)
    except ValueError as error:
        raise _Failure("Runtime.MalformedHandlerName", f"Bad handler '{name}': {error}") from error
    if module_name.partition(".")[0] in sys.builtin_module_names:
        message = f"Cannot use built-in module {module_name} as a handler module"
        raise _Failure("Runtime.BuiltInModuleConflict", message)
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        raise _Failure("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}") from error
    except SyntaxError as error:
        trace = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        raise _Failure(
            "Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}", trace
        ) from error
    try:
        found: Callable[[Any, LambdaContext], Any] = getattr(module, function_name)
    except AttributeError as error:
        message = f"Handler '{function_name}' missing on module '{module_name}'"
        raise _Failure("Runtime.HandlerNotFound", message) from error
    return found


def _error(kind: str, message: str, trace: list[str], request_id: str) -> dict[str, Any]:
    return {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": trace}


def _log_error(told: dict[str, Any]) -> None:
    if os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON":
        line = {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "level": "ERROR",
            **told,
        }
        _log(json.dumps(line, ensure_ascii=False))
    else:
        trace = told["stackTrace"]
        text = "[ERROR] {}: {}".format(told["errorType"], told["errorMessage"])
        if trace:
            text += "\nTraceback (most recent call last):\n" + "".join(trace)
        _log(text)


def _trace(error: BaseException) -> list[str]:
    """Return the lines of an exception's traceback, without the ones in here."""
    frames = traceback.extract_tb(error.__traceback__)
    own = _trace.__code__.co_filename
    return traceback.format_list([frame for frame in frames if frame.filename != own])


def _prepare(told: dict[str, Any]) -> None:
    """Become the function's process."""
    if told["environment"] is None:
        # A wrapper has exported what it wanted to, perhaps another handler.
        told["handler"] = os.environ.get("_HANDLER", told["handler"])
    else:
        os.environ.clear()
        os.environ.update(told["environment"])
    time.tzset()
    root, layers = told["taskRoot"], told["layersRoot"]
    version = "python{}.{}".format(*sys.version_info[:2])
    ours = [root, f"{layers}/python/lib/{version}/site-packages", f"{layers}/python", *told["libraries"]]
    given = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and path not in ours]
    sys.path[:] = [*ours[:1], *given, *ours[1:-1], *sys.path, *ours[-1:]]
    os.chdir(root)
    # Not `importlib.invalidate_caches`, which imports `importlib.metadata` first: that takes 20 ms.
    sys.path_importer_cache.clear()
    _set_up_logging()


def _hooks(when: str) -> list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]]:
    """Return what is to be called when a snapshot is taken or was restored, in the order of its registration."""
    library = sys.modules.get("snapshot_restore_py")
    return [] if library is None else getattr(library, f"get_{when}")()


def _before_snapshot() -> None:
    hooks = _hooks("before_snapshot")
    try:
        while hooks:
            hook, arguments, named = hooks.pop()
            hook(*arguments, **named)
    except Exception as raised:
        raise _Failure("Runtime.BeforeSnapshotError", f"{type(raised).__name__}: {raised}", _trace(raised)) from raised


def _restore() -> None:
    """Go on after having been halted."""
    hooks = _hooks("after_restore")
    try:
        while hooks:
            hook, arguments, named = hooks.pop(0)
            hook(*arguments, **named)
    except SystemExit as left:
        _leave(left)
    except BaseException as raised:
        told = _error("Runtime.AfterRestoreError", f"{type(raised).__name__}: {raised}", _trace(raised), "")
        _log_error(told)
        _write(INIT_FAILED, None, json.dumps(told).encode())
        os._exit(1)
    sys.stdout.flush()
    sys.stderr.flush()
    _write(READY)


def _initialise(told: dict[str, Any]) -> Callable[[Any, LambdaContext], Any]:
    try:
        _prepare(told)
        handler = _load(told["handler"])
        if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
            _before_snapshot()
    except _Failure as failure:
        told = _error(failure.kind, str(failure), failure.trace, "")
    except SystemExit as left:
        _leave(left)
    except BaseException as raised:
        told = _error(type(raised).__name__, str(raised), _trace(raised), "")
    else:
        _write(READY)
        return handler
    _log_error(told)
    _write(INIT_FAILED, None, json.dumps(told).encode()[: MOST_BYTES + 1])
    os._exit(1)


def _leave(left: SystemExit) -> NoReturn:
    """End the process as its code has asked."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(left.code if isinstance(left.code, int) else 1)


def _encoded(answer: object) -> bytes:
    """Return what a handler has returned as AWS's runtime client writes it, which knows decimal numbers and bytes."""
    if isinstance(answer, bytes):
        return answer
    numbers: list[str] = []
    mark = os.urandom(8).hex()

    def default(value: object) -> object:
        library = sys.modules.get("decimal")
        if library is None or not isinstance(value, library.Decimal):
            raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
        if value.is_nan():
            return float("nan")
        numbers.append(str(value))
        return mark

    text = json.dumps(answer, ensure_ascii=False, default=default)
    if numbers:
        # With all of their digits: as a `float` they had 17.
        given = iter(numbers)
        text = re.sub(f'"{mark}"', lambda _: next(given), text)
    return text.encode("utf-8", "surrogatepass")


def _invoke(handler: Callable[[Any, LambdaContext], Any], told: dict[str, Any], payload: bytes) -> None:
    global _request_id
    _request_id = told["requestId"]
    if told.get("traceId"):
        os.environ["_X_AMZN_TRACE_ID"] = told["traceId"]
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)
    try:
        try:
            event = json.loads(payload)
        except ValueError as error:
            raise _Failure("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}") from error
        answer = handler(event, LambdaContext(told))
        try:
            encoded = _encoded(answer)
        except (TypeError, ValueError) as error:
            raise _Failure("Runtime.MarshalError", f"Unable to marshal response: {error}") from error
    except _Failure as failure:
        told = _error(failure.kind, str(failure), failure.trace, _request_id)
    except SystemExit as left:
        _leave(left)
    except Exception as raised:
        told = _error(type(raised).__name__, str(raised), _trace(raised), _request_id)
    else:
        sys.stdout.flush()
        sys.stderr.flush()
        _write(ANSWER, None, encoded[: MOST_BYTES + 1])
        return
    _log_error(told)
    sys.stderr.flush()
    _write(FAILED, None, json.dumps(told).encode()[: MOST_BYTES + 1])


def main() -> None:
    os.set_inheritable(CHANNEL, False)
    os.register_at_fork(after_in_child=_become_fork)
    _, told, _ = _read()
    sys.stdout, sys.stderr = _Output(1), _Output(2)
    handler = _initialise(told)
    while True:
        kind, invocation, payload = _read()
        if kind == INVOKE:
            _invoke(handler, invocation, payload)
        elif kind == RESTORE:
            _restore()


main()
