"""What CloudTrail costs a call: `python -m benchmarks.audit [--rounds 3] [--seconds 4]`.

Two Cloudlets take turns, one with SQS alone, one with CloudTrail besides; both are durable and verify signatures.
SendMessage of 100 bytes is a data event, which nobody selects; TagQueue is a change, which is recorded in the
transaction that makes it; last comes SendMessage while an event data store selects it. The processor time is that of
the whole server: what CloudTrail does with records within three seconds is in it.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import network, scenarios, wrk
from benchmarks.api import JsonApi, SqsApi
from benchmarks.process import ServerProcess
from benchmarks.signing import Key

KEY = Key("123456789012", "AKIABENCHMARK0000000", "benchmark-secret")
START_SECONDS = 20.0
SETTLE_SECONDS = 3.0
WAYS = {"without CloudTrail": "sqs", "with CloudTrail": "sqs,cloudtrail"}
SELECTORS = [
    {
        "FieldSelectors": [
            {"Field": "eventCategory", "Equals": ["Data"]},
            {"Field": "resources.type", "Equals": ["AWS::SQS::Queue"]},
        ]
    }
]
Figure = tuple[float, float]
"""Requests a second, and the server's processor time for each in microseconds."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    options = parser.parse_args()
    wrk.ensure_installed()
    found: dict[tuple[str, str], list[Figure]] = {}
    for number in range(options.rounds):
        for way in sorted(WAYS, reverse=bool(number % 2)):
            with tempfile.TemporaryDirectory(prefix="audit-") as folder:
                _measure(way, Path(folder), options.seconds, found)
    for (operation, way), figures in sorted(found.items()):
        speed, cpu = (statistics.median(column) for column in zip(*figures, strict=True))
        base = statistics.median(cpu for _, cpu in found[operation.partition(",")[0], "without CloudTrail"])
        print(f"{operation:<28} {way:<20} {speed:>8,.0f}/s {cpu:>7.1f} µs of CPU  {cpu / base - 1:>+6.1%}")


def _measure(way: str, folder: Path, seconds: int, found: dict[tuple[str, str], list[Figure]]) -> None:
    port = network.free_port()
    cloudlet = Path(sys.executable).with_name("cloudlet")
    command = [str(cloudlet), "up", "--port", str(port), "--data", str(folder / "data"), "--services", WAYS[way]]
    key = f"{KEY.account}:{KEY.key_id}:{KEY.secret}"
    process = ServerProcess([*command, "--root-key", key], os.environ, folder / "cloudlet.log", folder)
    try:
        api = SqsApi(f"127.0.0.1:{port}", KEY)
        api.wait_until_up(START_SECONDS, lambda: process.exit_code() is None)
        url = api.create_queue("measured")
        tags = json.dumps({"QueueUrl": url, "Tags": {"team": "a"}}).encode()
        for operation, body in (("SendMessage", scenarios.message(url)), ("TagQueue", tags)):
            found.setdefault((operation, way), []).append(_figure(process, api, operation, body, seconds))
        if "cloudtrail" in WAYS[way]:
            trails = JsonApi(api.host, KEY, "cloudtrail", "CloudTrail_20131101", "ListTrails")
            trails.call("CreateEventDataStore", {"Name": "data", "AdvancedEventSelectors": SELECTORS})
            api.call("SendMessage", json.loads(scenarios.message(url)))
            time.sleep(SETTLE_SECONDS)
            figure = _figure(process, api, "SendMessage", scenarios.message(url), seconds)
            found.setdefault(("SendMessage, selected", way), []).append(figure)
    finally:
        process.stop()


def _figure(process: ServerProcess, api: SqsApi, operation: str, body: bytes, seconds: int) -> Figure:
    wrk.run(api.host, api.signer.headers(operation, body), body, scenarios.CONNECTIONS, 1)
    before = process.cpu_seconds()
    report = wrk.run(api.host, api.signer.headers(operation, body), body, scenarios.CONNECTIONS, seconds)
    # Records are handed over a moment later.
    time.sleep(SETTLE_SECONDS)
    return report.requests / report.seconds, (process.cpu_seconds() - before) / report.requests * 1e6


if __name__ == "__main__":
    main()
