"""A mail server that keeps what it is given (RFC 5321, as much of it as a client needs)."""

from __future__ import annotations

import socketserver
import ssl
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

from tests.services.sns.endpoint import WAIT_SECONDS


class MailServer:
    """A server on a port of its own, for user ann with password secret.

    With a `context` it speaks TLS from the first byte, or (`upgrades`) from STARTTLS on.
    """

    def __init__(self, context: ssl.SSLContext | None = None, *, upgrades: bool = False) -> None:
        self.refusals: dict[str, list[int]] = {}
        """By recipient: the codes with which its next mails are refused."""
        self.mails: list[EmailMessage] = []
        self.attempts: list[str] = []
        """The recipients of all mails that were offered."""
        self.changed = threading.Condition()
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Session)
        self._server.daemon_threads = True
        self._server.mail = self  # type: ignore[attr-defined]
        self.upgrade = context if upgrades else None
        if context is not None and not upgrades:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        scheme = "smtp" if context is None or upgrades else "smtps"
        self.url = f"{scheme}://ann:secret@127.0.0.1:{self._server.server_address[1]}?from=shop@example.com"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def wait(self, recipient: str, count: int = 1) -> list[EmailMessage]:
        """Wait for so many mails to an address; return all of them."""
        with self.changed:

            def found() -> list[EmailMessage]:
                return [mail for mail in self.mails if mail["To"] == recipient]

            assert self.changed.wait_for(lambda: len(found()) >= count, WAIT_SECONDS), (recipient, count, self.mails)
            return found()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Session(socketserver.StreamRequestHandler):
    """A connection with a client."""

    def handle(self) -> None:
        server: MailServer = self.server.mail  # type: ignore[attr-defined]
        self._say("220 ready")
        known, recipient, secure = False, "", server.upgrade is None
        while line := self.rfile.readline().decode().rstrip():
            word = line.partition(" ")[0].upper()
            if word == "EHLO":
                self._say("250-here", "250 AUTH PLAIN" if secure else "250 STARTTLS")
            elif word == "STARTTLS" and server.upgrade is not None:
                self._say("220 go on")
                self._upgrade(server.upgrade)
                secure = True
            elif not secure:
                self._say("530 not in the open")
            elif word == "AUTH":
                known = b64decode(line.split()[2]) == b"\x00ann\x00secret"
                self._say("235 welcome" if known else "535 who are you?")
            elif not known and word != "QUIT":
                self._say("530 who are you?")
            elif word == "RCPT":
                recipient = line.partition("<")[2].partition(">")[0]
                server.attempts.append(recipient)
                codes = server.refusals.get(recipient)
                self._say(f"{codes.pop(0)} not this one" if codes else "250 fine")
            elif word == "DATA":
                self._say("354 go on")
                self._receive(server)
            elif word == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 fine")

    def _upgrade(self, context: ssl.SSLContext) -> None:
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", buffering=0)

    def _receive(self, server: MailServer) -> None:
        lines: list[bytes] = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line.removeprefix(b"."))
        mail: Any = message_from_bytes(b"".join(lines), policy=SMTP)
        with server.changed:
            server.mails.append(mail)
            server.changed.notify_all()
        self._say("250 kept")

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join([f"{line}\r\n" for line in lines]).encode())


@contextmanager
def running(context: ssl.SSLContext | None = None, *, upgrades: bool = False) -> Iterator[MailServer]:
    """Run a mail server until the end of the `with` block."""
    server = MailServer(context, upgrades=upgrades)
    try:
        yield server
    finally:
        server.close()
