"""`cloudlet exec`: a terminal in a container of a task.

It does what `aws ecs execute-command` does with the plugin of Session Manager.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import ssl
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock, Thread
from typing import Any, Final
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, connect

from cloudlet.cli import EXIT_OK, CommandError, add_port, admin
from cloudlet.cli.clients import add_account, make_client
from cloudlet.core.kernel.system_clock import wall_time
from cloudlet.services.ecs.running import session_messages as messages

_READ_BYTES: Final = 1024
_END_OF_INPUT: Final = b"\x04"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_port(parser)
    parser.add_argument("--cluster", help="the cluster of the task (default: default)")
    parser.add_argument("--container", help="the container, of a task that has several")
    parser.add_argument("--region", help="the region (default: the environment's, or us-east-1)")
    add_account(parser)
    parser.add_argument("task", metavar="TASK", help="the id or ARN of a task that was run with enableExecuteCommand")
    parser.add_argument("words", metavar="COMMAND", nargs=argparse.REMAINDER, help="the command (default: sh)")


def run(options: argparse.Namespace) -> int:
    given = {"cluster": options.cluster, "container": options.container}
    client = make_client(options, "ecs", options.region)
    try:
        session = client.execute_command(
            task=options.task,
            command=shlex.join(options.words or ["sh"]),
            interactive=True,
            **{name: value for name, value in given.items() if value is not None},
        )["session"]
    except ClientError as error:
        raise CommandError(error.response["Error"]["Message"]) from error
    except BotoCoreError as error:
        raise CommandError(str(error)) from error
    authority = admin.running_on(options.port).authority
    secure = urlsplit(session["streamUrl"]).scheme == "wss"
    trust = ssl.create_default_context(cafile=authority) if secure else None
    try:
        with connect(session["streamUrl"], ssl=trust, legacy=True) as connection, _raw_terminal():
            _Terminal(connection, session["tokenValue"]).run()
    except (OSError, WebSocketException) as error:
        raise CommandError(f"the session has ended: {error}") from error
    return EXIT_OK


@contextmanager
def _raw_terminal() -> Iterator[None]:
    """Pass on each key as it is, where there is a terminal."""
    if not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    try:
        # What was typed meanwhile is kept.
        tty.setraw(sys.stdin, termios.TCSADRAIN)
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


class _Terminal:
    """A client of a session, by the protocol of Session Manager's plugin."""

    def __init__(self, connection: ClientConnection, token: str) -> None:
        self._connection = connection
        self._sequence = 0
        self._expected = 0
        self._sending = Lock()
        connection.send(json.dumps({"MessageSchemaVersion": "1.0", "TokenValue": token}))

    def run(self) -> None:
        """Pass on what is typed and printed, until the command has ended."""
        try:
            while True:
                content = self._connection.recv()
                message = messages.parse(content if isinstance(content, bytes) else content.encode())
                if message.kind == messages.CLOSED:
                    said = json.loads(message.payload).get("Output", "")
                    if said:
                        raise CommandError(said)
                    return
                if message.kind == messages.OUTPUT:
                    self._take_output(message)
        except ConnectionClosed:
            return

    def _take_output(self, message: messages.Message) -> None:
        with self._sending:
            self._connection.send(messages.write_acknowledgement(message, wall_time()))
        if message.sequence != self._expected:
            # It was sent again.
            return
        self._expected += 1
        if message.payload_type == messages.HANDSHAKE_REQUEST:
            done: dict[str, Any] = {"ActionType": "SessionType", "ActionStatus": 1}
            answer = {"ProcessedClientActions": [done], "Errors": []}
            self._send(json.dumps(answer).encode(), messages.HANDSHAKE_RESPONSE)
        elif message.payload_type == messages.HANDSHAKE_COMPLETE:
            self._send_size()
            # Whatever the signal interrupts may be sending itself.
            signal.signal(signal.SIGWINCH, lambda number, frame: Thread(target=self._send_size, daemon=True).start())
            Thread(target=self._read_input, name="input", daemon=True).start()
        elif message.payload_type == messages.TEXT:
            sys.stdout.buffer.write(message.payload)
            sys.stdout.buffer.flush()

    def _read_input(self) -> None:
        with suppress(OSError, ConnectionClosed):
            while typed := os.read(sys.stdin.fileno(), _READ_BYTES):
                self._send(typed, messages.TEXT)
            # The end of a file or a pipe is what Ctrl-D is at a terminal.
            self._send(_END_OF_INPUT, messages.TEXT)

    def _send_size(self) -> None:
        with suppress(OSError):
            columns, rows = os.get_terminal_size()
            self._send(json.dumps({"cols": columns, "rows": rows}).encode(), messages.SIZE)

    def _send(self, payload: bytes, kind: int) -> None:
        with self._sending:
            self._connection.send(messages.write(messages.INPUT, self._sequence, payload, wall_time(), kind))
            self._sequence += 1
