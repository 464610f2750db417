"""X-Ray's daemon, whose sockets the front door's process holds and the block's process reads."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.edge.instances import find
from cloudlet.testing.server import Aws, Server
from tests.commands import blocks, cloudlet
from tests.services.xray.segments import segment, trace_id
from tests.standing import eventually

Address = tuple[str, int]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server.start("--isolate", "--data", str(tmp_path), "--xray-daemon", "0") as server:
        yield server


@pytest.fixture
def address(server: Server) -> Address:
    running = find(int(server.port))
    assert running is not None
    assert running.xray_daemon is not None
    host, _, port = running.xray_daemon.partition(":")
    return host, int(port)


@pytest.fixture
def xray(server: Server) -> Any:
    """A client of the account that the daemon writes to."""
    return Aws(server.endpoint, "000000000000").client("xray")


def send(address: Address) -> str:
    """Send a segment; return the id of its trace."""
    trace = trace_id()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.sendto(b'{"format": "json", "version": 1}\n' + json.dumps(segment(trace)).encode(), address)
    return trace


def arrived(xray: Any, *traces: str) -> bool:
    found = xray.batch_get_traces(TraceIds=list(traces))["Traces"]
    return {each["Id"] for each in found} == set(traces)


def xray_process(server: Server) -> int:
    process: int = blocks(server.endpoint)["xray"]["process"]
    return process


def test_segments_sent_while_the_block_is_dead_are_stored(server: Server, address: Address, xray: Any) -> None:
    before = send(address)
    assert eventually(lambda: arrived(xray, before))
    process = xray_process(server)
    os.kill(process, signal.SIGSTOP)
    meanwhile = [send(address) for _ in range(3)]
    os.kill(process, signal.SIGKILL)
    after = send(address)
    eventually(lambda: blocks(server.endpoint)["xray"]["state"] == "running")
    assert eventually(lambda: arrived(xray, before, *meanwhile, after))
    assert xray_process(server) != process


def test_it_refuses_while_the_block_is_stopped(server: Server, address: Address, xray: Any) -> None:
    assert cloudlet("block", "stop", "xray", "--port", server.port).returncode == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.connect(address)
        out.send(b"to nobody")
        with pytest.raises(ConnectionRefusedError):
            out.recv(1)
    assert cloudlet("block", "start", "xray", "--port", server.port).returncode == 0
    trace = send(address)
    assert eventually(lambda: arrived(xray, trace))


def test_it_goes_on_after_the_cloud_was_copied_or_reset(server: Server, address: Address, xray: Any) -> None:
    assert cloudlet("snapshot", "save", "a", "--port", server.port).returncode == 0
    kept = send(address)
    assert eventually(lambda: arrived(xray, kept))
    assert cloudlet("reset", "--yes", "--port", server.port).returncode == 0
    trace = send(address)
    assert eventually(lambda: arrived(xray, trace))
    assert not arrived(xray, kept)
