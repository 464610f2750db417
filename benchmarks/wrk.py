"""Driving a server with wrk: one signed request, or some in turn, or consumers, over several connections."""

import json
import math
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.signing import Signer

REPLAY = Path(__file__).with_name("replay.lua")
REPLAY_MANY = Path(__file__).with_name("replay_many.lua")
CONSUME = Path(__file__).with_name("consume.lua")
GRACE_SECONDS = 30


class WrkFailed(Exception):
    """wrk did not run, or not every request was answered with success."""


@dataclass(frozen=True)
class WrkReport:
    """What wrk saw: requests answered, over how many seconds, and their latencies in milliseconds."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float


def ensure_installed() -> str:
    """wrk's version; installs Debian's package where that is allowed, else raises WrkFailed saying what to do."""
    if shutil.which("wrk") is None:
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            raise WrkFailed("wrk is missing: install it first (Debian, Ubuntu: apt-get install wrk)")
        subprocess.run(["apt-get", "update", "-qq"], check=False, stdout=subprocess.DEVNULL)
        installed = subprocess.run(["apt-get", "install", "-y", "-qq", "wrk"], check=False, stdout=subprocess.DEVNULL)
        if installed.returncode != 0 or shutil.which("wrk") is None:
            raise WrkFailed("wrk is missing and `apt-get install wrk` failed")
    answer = subprocess.run(["wrk", "--version"], check=False, capture_output=True, text=True)
    return answer.stdout.split("[", 1)[0].strip() or "wrk"


def run(host: str, headers: Mapping[str, str], body: bytes, connections: int, seconds: int) -> WrkReport:
    """Sends one request for `seconds`; raises WrkFailed if any answer was not 2xx or any connection broke."""
    return _run(host, REPLAY, _lua_request(headers, body), connections, seconds)


def run_many(host: str, requests: Sequence[bytes], connections: int, seconds: int) -> WrkReport:
    """Sends whole requests (ASCII) in turn for `seconds`; raises WrkFailed as `run` does."""
    listed = ",\n".join(json.dumps(request.decode("ascii")) for request in requests)
    return _run(host, REPLAY_MANY, f"return {{\n{listed}\n}}\n", connections, seconds)


@dataclass(frozen=True)
class Consumed(WrkReport):
    """What consumers saw; `seconds` end with the last delete that was answered."""

    sent: int
    deleted: int
    repeated: int
    """Messages that came again, which SQS allows: they were deleted again, too."""


def consume(
    host: str,
    signer: Signer,
    queue_url: str,
    at_once: int,
    messages: int,
    seconds: float,
    connections: int,
    send: bytes | None = None,
) -> Consumed:
    """Receives up to `at_once` and deletes them, over and over, until `messages` are gone or `seconds` over.

    One at a time is deleted by DeleteMessage, several by DeleteMessageBatch. With `send`, the body of a SendMessage,
    a message is sent before each receive. What is under way at the end is dropped. Raises WrkFailed as `run` does, and
    where an answer makes no sense.
    """
    url = json.dumps(queue_url)
    receive = f'{{"QueueUrl":{url},"MaxNumberOfMessages":{at_once}}}'
    delete = signer.prepare("DeleteMessage" if at_once == 1 else "DeleteMessageBatch")
    plan = {
        "queue_url": url,
        "at_once": at_once,
        "messages": messages,
        "seconds": seconds,
        "receive": signer.request("ReceiveMessage", receive.encode()).decode(),
        "delete_head": delete.head,
        "canonical": delete.canonical,
        "to_sign": delete.to_sign,
    } | ({} if send is None else {"send": signer.request("SendMessage", send).decode()})
    key = "".join(f"\\{byte:03d}" for byte in delete.key)
    pairs = ", ".join(f"{name} = {json.dumps(value)}" for name, value in plan.items())
    # The script has wrk stop before.
    report = _report(host, CONSUME, f'return {{ {pairs}, key = "{key}" }}\n', connections, math.ceil(seconds) + 1)
    if report["wrong"]:
        raise WrkFailed(report["wrong"])
    found = _checked(report)
    return Consumed(**asdict(found), **{name: report[name] for name in ("sent", "deleted", "repeated")})


def _run(host: str, script: Path, signed: str, connections: int, seconds: int) -> WrkReport:
    return _checked(_report(host, script, signed, connections, seconds))


def _report(host: str, script: Path, plan: str, connections: int, seconds: int) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile("w", suffix=".lua", encoding="utf-8") as file:
        file.write(plan)
        file.flush()
        # One thread: there are two cores, and the other one is the server's.
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(script)]
        finished = subprocess.run(
            [*command, f"http://{host}/", file.name],
            check=False,
            capture_output=True,
            text=True,
            timeout=seconds + GRACE_SECONDS,
        )
    reports = [line for line in finished.stdout.splitlines() if line.startswith("REPORT ")]
    if finished.returncode != 0 or not reports:
        raise WrkFailed(f"wrk ended with {finished.returncode}: {finished.stdout} {finished.stderr}".strip())
    report: dict[str, Any] = json.loads(reports[0].removeprefix("REPORT "))
    return report


def _checked(report: dict[str, Any]) -> WrkReport:
    errors = {kind: count for kind, count in report["errors"].items() if count}
    if errors:
        raise WrkFailed(f"{errors} of {report['requests']} requests")
    if report["requests"] == 0:
        raise WrkFailed("no request was answered")
    return WrkReport(
        requests=report["requests"],
        seconds=report["microseconds"] / 1e6,
        p50_ms=report["p50_us"] / 1e3,
        p99_ms=report["p99_us"] / 1e3,
    )


def _lua_request(headers: Mapping[str, str], body: bytes) -> str:
    # wrk works out the length of the body by itself. A JSON string is a Lua string as long as it is ASCII.
    pairs = ", ".join(f"[{json.dumps(name)}] = {json.dumps(value)}" for name, value in headers.items())
    return f"return {{ headers = {{ {pairs} }}, body = {json.dumps(body.decode('ascii'))} }}\n"
