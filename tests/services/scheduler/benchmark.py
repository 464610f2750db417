"""Many schedules: how quickly they are created, what they cost while none is due, and how quickly all of them run.

    python -m tests.services.scheduler.benchmark [schedules]

They are created over HTTP on 16 connections; they run when the clock is moved to the time of all of them.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from cloudlet.testing.server import Aws, Server
from tests.commands import cloudlet
from tests.edge.test_idle import busy_seconds
from tests.services.scheduler.cloud import OFF, SchedulerCloud

_CONNECTIONS = 16
_WHEN = "2039-01-01T00:00:00"
_IDLE_SECONDS = 3.0
_PATIENCE_SECONDS = 150.0


def _megabytes(process: int) -> int:
    line = next(line for line in Path(f"/proc/{process}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) // 1024


def _create(endpoint: str, account: str, body: str, connection: int, count: int) -> None:
    """Create schedules, with signatures that nobody checks in open mode."""
    http_connection = http.client.HTTPConnection(urlsplit(endpoint).netloc)
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    scope = f"{account}/{now[:8]}/us-east-1/scheduler/aws4_request"
    signed = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature=00"
    headers = {"Content-Type": "application/json", "X-Amz-Date": now, "Authorization": signed}
    for number in range(count):
        http_connection.request("POST", f"/schedules/s-{connection}-{number}", body, headers)
        response = http_connection.getresponse()
        response.read()
        assert response.status == 200


def main(count: int) -> None:
    each = count // _CONNECTIONS
    with Server.start("--ephemeral") as server:
        assert server.process is not None
        process = server.process.pid
        cloud = SchedulerCloud(Aws(server.endpoint, "123456789012"))
        url, arn = cloud.queue()
        target = cloud.target(arn, Input="x")
        before = _megabytes(process)
        schedule = {"ScheduleExpression": f"at({_WHEN})", "FlexibleTimeWindow": OFF, "Target": target}
        body = json.dumps({**schedule, "ActionAfterCompletion": "DELETE"})
        began = time.monotonic()
        with ThreadPoolExecutor(_CONNECTIONS) as threads:
            work = [
                threads.submit(_create, server.endpoint, cloud.account, body, number, each)
                for number in range(_CONNECTIONS)
            ]
            for done in work:
                done.result()
        took = time.monotonic() - began
        after = _megabytes(process)
        print(f"created: {each * _CONNECTIONS / took:,.0f} schedules/s; {before} MB before, {after} MB after")  # noqa: T201
        time.sleep(_IDLE_SECONDS)
        busy = busy_seconds(process)
        time.sleep(_IDLE_SECONDS)
        print(f"idle: {busy_seconds(process) - busy:.2f} s of processor time in {_IDLE_SECONDS} s")  # noqa: T201
        began = time.monotonic()
        cloudlet("clock", "freeze", f"{_WHEN}Z", "--port", server.port)
        while cloud.held(url) < each * _CONNECTIONS and time.monotonic() - began < _PATIENCE_SECONDS:
            time.sleep(0.2)
        took = time.monotonic() - began
        print(f"run: {cloud.held(url) / took:,.0f} invocations/s; {_megabytes(process)} MB")  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
