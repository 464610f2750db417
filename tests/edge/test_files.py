"""As many clients as the system has files for do not keep Cloudlet from opening its own."""

from __future__ import annotations

import socket
import sys
from contextlib import ExitStack, suppress
from http.client import HTTPConnection
from urllib.parse import urlsplit

from cloudlet.testing.server import Server

_FILES = 300
_FEWER = [
    sys.executable,
    "-c",
    f"import os, resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, ({_FILES}, {_FILES})); "
    "os.execvp(sys.argv[1], sys.argv[1:])",
]


def test_connections_leave_files_for_the_data() -> None:
    with ExitStack() as stack:
        server = stack.enter_context(Server.start("--ephemeral", wrapper=_FEWER))
        address = urlsplit(server.endpoint)
        client = HTTPConnection(address.netloc, timeout=20)

        def list_of(target: str) -> int:
            client.request("POST", "/", b"{}", {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"})
            response = client.getresponse()
            response.read()
            return response.status

        assert list_of("AmazonSQS.ListQueues") == 200
        for _ in range(2 * _FILES):
            last = stack.enter_context(socket.create_connection((address.hostname, address.port), timeout=20))
        # It is answered that there are too many, or hung up on: by then all others have come in.
        with suppress(ConnectionError):
            last.recv(1000)
        # Each block that is used for the first time opens files.
        for target in ("DynamoDB_20120810.ListTables", "Logs_20140328.DescribeLogGroups", "AWSEvents.ListEventBuses"):
            assert list_of(target) == 200
