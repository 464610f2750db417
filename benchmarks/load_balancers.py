"""Load balancers beside Envoys that are configured by hand, before the same target.

    .venv/bin/python -m benchmarks.load_balancers [--rounds 3] [--seconds 4] [--connections 32]

The target is a server of few lines in an interface of a VPC. An application load balancer with one rule, a network
load balancer, and a bare Envoy with a listener for HTTP and one for TCP take turns. All are in the same VPC and reached
from this machine in the same way. The median of the rounds is told. Each Envoy has a thread for each
processor. Memory is proportional (`Pss`): Envoys share what they have in common.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from cloudlet.engines.envoy import program
from cloudlet.engines.envoy.configuration_server import ConfigurationServer
from cloudlet.engines.envoy.snapshot import Snapshot
from cloudlet.engines.keeper.client import KeeperClient
from cloudlet.testing.server import Server

_BODY = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n" + b"x" * 100
_END = b"\r\n\r\n"
_TYPES = "type.googleapis.com/envoy.extensions.filters"
_BY_STREAM = {"ads": {}, "resource_api_version": "V3"}


class Target(asyncio.Protocol):
    """A server that answers each request with 100 bytes."""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(_BODY * data.count(_END))


class Scene:
    """A VPC of an account with a target in an interface, before which load balancers and Envoys stand."""

    def __init__(self, server: Server, data: Path) -> None:
        with server.account() as aws:
            self.ec2, self.elb = aws.client("ec2"), aws.client("elbv2")
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [
            self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=zone)["Subnet"][
                "SubnetId"
            ]
            for number, zone in enumerate(("us-east-1a", "us-east-1b"))
        ]
        group = self.ec2.create_security_group(GroupName="all", Description="all", VpcId=self.vpc)["GroupId"]
        everyone = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
        self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=everyone)
        self.group = group
        made = self.ec2.create_network_interface(SubnetId=self.subnets[0], Groups=[group])["NetworkInterface"]
        self.interface, self.address = made["NetworkInterfaceId"], made["PrivateIpAddress"]
        waiter = self.ec2.get_waiter("network_interface_available")
        waiter.wait(NetworkInterfaceIds=[self.interface], WaiterConfig={"Delay": 1, "MaxAttempts": 30})
        self.keeper_path = data / "keeper"

    def make_balancer(self, kind: str, protocol: str, port: int) -> str:
        """Return the address of a load balancer that forwards to the target, once that is healthy."""
        made = self.elb.create_load_balancer(
            Name=kind, Type=kind, Subnets=self.subnets, SecurityGroups=[self.group], Scheme="internal"
        )["LoadBalancers"][0]["LoadBalancerArn"]
        group = self.elb.create_target_group(
            Name=kind,
            Protocol=protocol,
            Port=8080,
            VpcId=self.vpc,
            TargetType="ip",
            HealthCheckIntervalSeconds=5,
            HealthCheckTimeoutSeconds=2,
        )["TargetGroups"][0]["TargetGroupArn"]
        self.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": self.address}])
        forward = [{"Type": "forward", "TargetGroupArn": group}]
        listener = self.elb.create_listener(LoadBalancerArn=made, Protocol=protocol, Port=port, DefaultActions=forward)[
            "Listeners"
        ][0]["ListenerArn"]
        if kind == "application":
            condition = [{"Field": "path-pattern", "Values": ["/other/*"]}]
            self.elb.create_rule(ListenerArn=listener, Priority=1, Conditions=condition, Actions=forward)
        waiting = {"Delay": 1, "MaxAttempts": 60}
        self.elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[made], WaiterConfig=waiting)
        self.elb.get_waiter("target_in_service").wait(TargetGroupArn=group, WaiterConfig=waiting)
        described = self.elb.describe_load_balancers(LoadBalancerArns=[made])["LoadBalancers"][0]
        address: str = described["AvailabilityZones"][0]["LoadBalancerAddresses"][0]["IpAddress"]
        return address


def _make_snapshot(address: str, target: str) -> Snapshot:
    def listen(name: str, port: int, kind: str, config: dict[str, Any]) -> dict[str, Any]:
        filters = [{"name": name, "typed_config": {"@type": f"{_TYPES}.network.{kind}", "stat_prefix": name, **config}}]
        place = {"socket_address": {"address": address, "port_value": port}}
        return {"name": name, "address": place, "enable_reuse_port": False, "filter_chains": [{"filters": filters}]}

    route = {"match": {"prefix": "/"}, "route": {"cluster": "target", "timeout": "0s"}}
    router = {"name": "router", "typed_config": {"@type": f"{_TYPES}.http.router.v3.Router"}}
    hosts = [{"name": "all", "domains": ["*"], "routes": [route]}]
    http = {"route_config": {"virtual_hosts": hosts}, "http_filters": [router]}
    end = {"endpoint": {"address": {"socket_address": {"address": target, "port_value": 8080}}}}
    cluster = {
        "name": "target",
        "type": "STATIC",
        "connect_timeout": "2s",
        "load_assignment": {"cluster_name": "target", "endpoints": [{"lb_endpoints": [end]}]},
    }
    return Snapshot(
        listeners={
            "http": listen("http", 8081, "http_connection_manager.v3.HttpConnectionManager", http),
            "tcp": listen("tcp", 8082, "tcp_proxy.v3.TcpProxy", {"cluster": "target"}),
        },
        clusters={"target": cluster},
    )


class World:
    """The event loop of the target and of the bare Envoys' configuration, in a thread of its own."""

    def __init__(self, scene: Scene, folder: Path, pid: int) -> None:
        self._scene, self._folder = scene, folder
        self._pid = pid
        self.address = "127.99.0.7"
        self._loop = uvloop.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(60)

    async def _open(self) -> None:
        scene = self._scene
        self.keeper = keeper = KeeperClient(scene.keeper_path, self._pid)
        place = {"network": scene.vpc, "interface": scene.interface}
        bound = await keeper.call_for_socket("listen", address=scene.address, port=8080, **place)
        self._target = await self._loop.create_server(Target, sock=bound)
        self.server = ConfigurationServer()
        program.prepare_folder(self._folder)
        await self.server.listen_at(self._folder / "shared" / program.CONFIGURATION_SOCKET)
        self.server.set_snapshot("bare", _make_snapshot(self.address, scene.address))
        await keeper.call(
            "set_endpoint", address=self.address, network=scene.vpc, target=scene.address, is_public=False
        )
        await keeper.call("hand_over_sockets", folder=str(self._folder / "shared"))
        spec = program.describe(self._folder, "bare", scene.vpc, scene.interface)
        await keeper.call("run", name="bare", spec=msgspec.to_builtins(spec))
        if not await self.server.wait_until_applied("bare", 20):
            raise SystemExit(f"the bare Envoy has not started: {self.server.list_refusals('bare')}")


def _measure(url: str, seconds: int, connections: int) -> tuple[float, str]:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(said)
    rate, slow = re.search(r"Requests/sec:\s+([\d.]+)", said), re.search(r"99%\s+(\S+)", said)
    assert rate is not None, said
    assert slow is not None, said
    return float(rate[1]), slow[1]


def _measure_memory() -> float:
    """Return the MB of all Envoys, each with its share of what they have in common."""
    found = 0
    for each in Path("/proc").iterdir():
        if each.name.isdecimal():
            try:
                if (each / "comm").read_text().strip() in ("envoy", "loader"):
                    told = re.search(r"Pss:\s+(\d+)", (each / "smaps_rollup").read_text())
                    found += int(told[1]) if told else 0
            except OSError:
                continue
    return found / 1024


def main() -> None:
    """Measure, and print a table."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--rounds", type=int, default=3)
    given.add_argument("--seconds", type=int, default=4)
    given.add_argument("--connections", type=int, default=32)
    options = given.parse_args()
    with tempfile.TemporaryDirectory() as folder, Server.start("--data", f"{folder}/data") as server:
        assert server.process is not None
        scene = Scene(server, Path(folder) / "data")
        world = World(scene, Path(folder) / "bare", server.process.pid)
        offset = 0 if os.geteuid() == 0 else 8000
        urls = {
            "bare Envoy, HTTP": f"http://{world.address}:8081/",
            "application load balancer": f"http://{scene.make_balancer('application', 'HTTP', 80)}:{80 + offset}/",
            "bare Envoy, TCP": f"http://{world.address}:8082/",
            "network load balancer": f"http://{scene.make_balancer('network', 'TCP', 80)}:{80 + offset}/",
        }
        for url in urls.values():
            _measure(url, 1, options.connections)
        rounds: dict[str, list[tuple[float, str]]] = {name: [] for name in urls}
        for _ in range(options.rounds):
            for name, url in urls.items():
                rounds[name].append(_measure(url, options.seconds, options.connections))
        before = 0.0
        for name, found in rounds.items():
            rate = statistics.median(each[0] for each in found)
            is_bare = name.startswith("bare")
            before = rate if is_bare else before
            ratio = "" if is_bare else f", {rate / before:.2f} of the bare one"
            sys.stdout.write(f"{name}: {rate:,.0f} requests/s{ratio}; p99 {', '.join(each[1] for each in found)}\n")
        sys.stdout.write(f"all Envoys: {_measure_memory():.0f} MB\n")


if __name__ == "__main__":
    main()
