"""Cloudlet is X-Ray's daemon where it is asked to be: it takes segments by UDP, and answers for sampling rules."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_xray_sdk.core import AWSXRayRecorder
from aws_xray_sdk.core.sampling.connector import ServiceConnector

from cloudlet.edge.instances import find
from cloudlet.testing.server import Aws, Server
from tests.commands import cloudlet
from tests.services.xray.segments import segment, trace_id
from tests.standing import eventually


@pytest.fixture(scope="module", params=[(), ("--isolate",)], ids=["together", "isolated"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with Server.start("--ephemeral", "--xray-daemon", "0", *request.param) as server:
        yield server


@pytest.fixture(scope="module")
def address(server: Server) -> str:
    """The daemon's address."""
    running = find(int(server.port))
    assert running is not None
    assert running.xray_daemon is not None
    return running.xray_daemon


@pytest.fixture(scope="module")
def xray(server: Server) -> Any:
    """A client of the account that the daemon writes to."""
    return Aws(server.endpoint, "000000000000").client("xray")


@pytest.fixture(scope="module")
def send(address: str) -> Iterator[Any]:
    host, _, port = address.partition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.connect((host, int(port)))
        yield out.send


def documents(xray: Any, trace: str) -> list[dict[str, Any]]:
    traces = xray.batch_get_traces(TraceIds=[trace])["Traces"]
    return [json.loads(each["Document"]) for found in traces for each in found["Segments"]]


def test_what_the_sdk_records(address: str, xray: Any) -> None:
    recorder = AWSXRayRecorder()
    recorder.configure(service="shop", daemon_address=address, sampling=False)
    with recorder.in_segment("shop") as top, recorder.in_subsegment("stock", namespace="remote") as part:
        part.put_annotation("customer", 7)
    (found,) = eventually(lambda: documents(xray, top.trace_id))
    assert found["name"] == "shop"
    assert found["subsegments"][0]["annotations"] == {"customer": 7}


def test_the_sdk_asks_for_sampling_rules(address: str) -> None:
    host, _, port = address.partition(":")
    connector = ServiceConnector()
    connector.setup_xray_client(host, int(port), None)
    rules = connector.fetch_sampling_rules()
    assert [each.name for each in rules] == ["Default"]
    targets, _ = connector.fetch_sampling_target(rules)
    assert targets["Default"]["quota"] == 1


def test_many_segments_in_a_burst(send: Any, xray: Any) -> None:
    trace = trace_id()
    for _ in range(100):
        send(b'{"format":"json","version":1}\n' + json.dumps(segment(trace)).encode())
    assert len(eventually(lambda: documents(xray, trace), lambda found: len(found) == 100)) == 100


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"\n",
        b"{}\n{}",
        b'{"format": "json", "version": 2}\n{}',
        b'{"format": "json", "version": 1}',
        b"\xff\xfe\n",
    ],
)
def test_what_is_no_segment_is_dropped(send: Any, xray: Any, wrong: bytes) -> None:
    send(wrong)
    send(b'{"format": "json", "version": 1}\n{"no": "segment"}')
    trace = trace_id()
    send(b'{"format": "json", "version": 1}\n' + json.dumps(segment(trace)).encode())
    assert eventually(lambda: documents(xray, trace))


def test_it_goes_on_after_a_reset(server: Server, send: Any, xray: Any) -> None:
    done = cloudlet("reset", "--yes", "--port", server.port)
    assert done.returncode == 0, done.stderr
    trace = trace_id(time.time())
    header = b'{"format": "json", "version": 1}\n'
    send(header + json.dumps(segment(trace)).encode())
    assert eventually(lambda: documents(xray, trace))


def test_what_was_dropped_is_told(tmp_path: Path) -> None:
    started = cloudlet("up", "--port", "0", "--data", str(tmp_path), "--xray-daemon", "0", "--detach")
    assert started.returncode == 0, started.stderr
    (endpoint,) = re.findall(r"listening on +(\S+)", started.stdout)
    ((host, port),) = re.findall(r"X-Ray daemon +(\S+):(\d+) ", started.stdout)
    trace = trace_id()
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.connect((host, int(port)))
            out.send(b"no header")
            out.send(b"no header")
            out.send(b'{"format": "json", "version": 1}\n{"no": "segment"}')
            out.send(b'{"format": "json", "version": 1}\n' + json.dumps(segment(trace)).encode())
        xray = Aws(endpoint, "000000000000").client("xray")
        assert eventually(lambda: documents(xray, trace))
    finally:
        stopped = cloudlet("down", "--port", endpoint.rpartition(":")[2])
    assert stopped.returncode == 0, stopped.stderr
    told = (tmp_path / "cloudlet.log").read_text()
    assert "2 segments that came by UDP were dropped: they had no header" in told
    assert "1 segments that came by UDP were dropped: they were not valid (MissingId)" in told


@pytest.mark.parametrize(
    "options",
    [
        ("--auth", "strict", "--root-key", "111122223333:AKIA:secret"),
        ("--services", "sqs"),
        ("--isolate", "--services", "sqs"),
    ],
)
def test_where_there_is_none(options: tuple[str, ...]) -> None:
    started = cloudlet("up", "--port", "0", "--ephemeral", "--xray-daemon", "0", *options)
    assert started.returncode == 1
    assert "X-Ray's daemon" in started.stderr


def test_a_port_that_is_taken(address: str) -> None:
    port = address.rpartition(":")[2]
    started = cloudlet("up", "--port", "0", "--ephemeral", "--xray-daemon", port)
    assert started.returncode == 1
    assert f"port {port}" in started.stderr
