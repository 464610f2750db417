"""Load balancers beside Envoys that are configured by hand, before the same target.

    .venv/bin/python -m benchmarks.load_balancers [--rounds 3] [--seconds 4] [--connections 32]
        [--idle 100] [--ministack]

The target is a server of few lines in an interface of a VPC. An application load balancer with one rule, one with a
hundred of which none holds, a network load balancer, and a bare Envoy with a listener for HTTP and one for TCP take
turns. All are in the same VPC, with interfaces of their own, and reached from this machine in the same way. Each Envoy
has a thread for each processor. Of the rounds the medians are told: requests a second, and the processor time of Envoy
for each, which other work on the machine changes less. Then rules are changed under load. With `--ministack` a fixed
response is asked of it, and of Cloudlet. With `--idle` there are so many load balancers in the end, half of each kind,
at most 100. Memory is proportional (`Pss`): processes share what they have in common.

Trace ids are those of a wheel with PYTHONPATH=build/compiled (`scripts/compile`), and otherwise made in Lua.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

import boto3
import msgspec
import uvloop
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError

from benchmarks.contenders import CONTENDERS
from benchmarks.process import ServerProcess, list_tree, tree_cpu_seconds
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
        other = self.ec2.create_network_interface(SubnetId=self.subnets[1], Groups=[group])["NetworkInterface"]
        self.other_interface, self.other_address = other["NetworkInterfaceId"], other["PrivateIpAddress"]
        waiter = self.ec2.get_waiter("network_interface_available")
        both = [self.interface, self.other_interface]
        waiter.wait(NetworkInterfaceIds=both, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
        self.listeners: dict[str, str] = {}
        self.keeper_path = data / "keeper"

    def make_balancer(self, name: str, kind: str, protocol: str, port: int, rules: int = 0) -> str:
        """Return the address of a load balancer that forwards to the target, once that is healthy."""
        made = self._make(name, kind)
        group = self.elb.create_target_group(
            Name=name,
            Protocol=protocol,
            Port=8080,
            VpcId=self.vpc,
            TargetType="ip",
            HealthCheckIntervalSeconds=5,
            HealthCheckTimeoutSeconds=2,
        )["TargetGroups"][0]["TargetGroupArn"]
        self.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": self.address}])
        forward = [{"Type": "forward", "TargetGroupArn": group}]
        self.listeners[name] = self._listen(made, protocol, port, forward)
        for priority in range(1, rules + 1):
            self.elb.create_rule(
                ListenerArn=self.listeners[name], Priority=priority, Conditions=_match(priority), Actions=forward
            )
        waiting = {"Delay": 1, "MaxAttempts": 60}
        self.elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[made], WaiterConfig=waiting)
        self.elb.get_waiter("target_in_service").wait(TargetGroupArn=group, WaiterConfig=waiting)
        return self._find_address(made)

    def _find_address(self, arn: str) -> str:
        described = self.elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]
        address: str = described["AvailabilityZones"][0]["LoadBalancerAddresses"][0]["IpAddress"]
        return address

    def make_idle(self, total: int) -> None:
        """Have so many load balancers in all, each with a target group and a listener."""
        made = []
        kinds = [each["Type"] for each in self.elb.describe_load_balancers()["LoadBalancers"]]
        missing = [kind for kind in _PROTOCOLS for _ in range(total // 2 - kinds.count(kind))]
        for count, kind in enumerate(missing):
            protocol = _PROTOCOLS[kind]
            made.append(self._make(f"idle-{count}", kind))
            group = self.elb.create_target_group(
                Name=f"idle-{count}", Protocol=protocol, Port=8080, VpcId=self.vpc, TargetType="ip"
            )["TargetGroups"][0]["TargetGroupArn"]
            self.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": self.address}])
            self._listen(made[-1], protocol, 80, [{"Type": "forward", "TargetGroupArn": group}])
        waiting = {"Delay": 1, "MaxAttempts": 120}
        for arn in made:
            self.elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[arn], WaiterConfig=waiting)

    def make_fixed(self) -> str:
        """Return the address of a load balancer that answers itself."""
        made = self._make("fixed", "application")
        self._listen(made, "HTTP", 80, FIXED_RESPONSE)
        self.elb.get_waiter("load_balancer_available").wait(
            LoadBalancerArns=[made], WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        return self._find_address(made)

    def change_rules(self, name: str, has_ended: threading.Event) -> int:
        """Change what the rules of a load balancer look at, over and over; return how often."""
        rules = self.elb.describe_rules(ListenerArn=self.listeners[name])["Rules"]
        arns = [rule["RuleArn"] for rule in rules if not rule["IsDefault"]]
        changes = 0
        while not has_ended.wait(_PAUSE_SECONDS):
            self.elb.modify_rule(RuleArn=arns[changes % len(arns)], Conditions=_match(1000 + changes))
            changes += 1
        return changes

    def _make(self, name: str, kind: str) -> str:
        arn: str = self.elb.create_load_balancer(
            Name=name, Type=kind, Subnets=self.subnets, SecurityGroups=[self.group], Scheme="internal"
        )["LoadBalancers"][0]["LoadBalancerArn"]
        return arn

    def _listen(self, balancer: str, protocol: str, port: int, actions: list[Any]) -> str:
        made = self.elb.create_listener(LoadBalancerArn=balancer, Protocol=protocol, Port=port, DefaultActions=actions)
        arn: str = made["Listeners"][0]["ListenerArn"]
        return arn


_PAUSE_SECONDS: Final = 0.1
"""The time between changes of rules, as the client would take the processors otherwise."""
_PROTOCOLS: Final = {"application": "HTTP", "network": "TCP"}


def _match(number: int) -> list[dict[str, Any]]:
    return [{"Field": "path-pattern", "Values": [f"/other-{number}/*"]}]


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
            "set_endpoint", address=self.address, network=scene.vpc, target=scene.other_address, is_public=False
        )
        await keeper.call("hand_over_sockets", folder=str(self._folder / "shared"))
        spec = program.describe(self._folder, "bare", scene.vpc, scene.other_interface)
        await keeper.call("run", name="bare", spec=msgspec.to_builtins(spec))
        if not await self.server.wait_until_applied("bare", 20):
            raise SystemExit(f"the bare Envoy has not started: {self.server.list_refusals('bare')}")


class Measured(NamedTuple):
    """One measurement by wrk."""

    rate: float
    slow: str
    """The 99th percentile of latency."""
    microseconds: float
    """The processor time of a request."""


def _measure(url: str, seconds: int, connections: int, root: int) -> Measured:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", url]
    before = _measure_time(root)
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    used = _measure_time(root) - before
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(said)
    rate, slow = re.search(r"Requests/sec:\s+([\d.]+)", said), re.search(r"^\s+99%\s+([\d.]+\w+)", said, re.MULTILINE)
    number = re.search(r"(\d+) requests in", said)
    assert rate is not None, said
    assert slow is not None, said
    assert number is not None, said
    return Measured(float(rate[1]), slow[1], used / int(number[1]) * 1e6)


def _list_envoys(root: int) -> list[Path]:
    """Return the places of all Envoys below a process."""
    places = [Path(f"/proc/{pid}") for pid in list_tree(root)]
    return [each for each in places if (each / "comm").read_text().strip() in ("envoy", "loader")]


def _measure_time(root: int) -> float:
    """Return the seconds of processor time that Envoys, which do not end meanwhile, have taken."""
    return sum(tree_cpu_seconds(int(each.name)) for each in _list_envoys(root))


def _measure_memory(root: int) -> str:
    """Return the MB of all Envoys and of all of Cloudlet, each process with its share of what they have in common."""

    def measure(places: Iterable[Path]) -> float:
        told = [re.search(r"Pss:\s+(\d+)", (each / "smaps_rollup").read_text()) for each in places]
        return sum(int(each[1]) for each in told if each) / 1024

    everything = measure(Path(f"/proc/{pid}") for pid in list_tree(root))
    return f"{measure(_list_envoys(root)):.0f} MB, Cloudlet in all {everything:.0f} MB"


def _change_rules(scene: Scene, name: str, url: str, seconds: int, connections: int, root: int) -> str:
    has_ended = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        changing = pool.submit(scene.change_rules, name, has_ended)
        # It ends the program where a request fails.
        measured = _measure(url, seconds, connections, root)
        has_ended.set()
        return f"{changing.result()} changes of rules under {measured.rate:,.0f} requests/s: none failed"


def _ask_ministack(seconds: int, connections: int) -> str:
    """Return how many fixed responses of ministack's load balancer there are in a second."""
    cache = Path.home() / ".cache" / "cloudlet-benchmarks"
    contender = next(each for each in CONTENDERS if each.name == "ministack-quiet")
    installed = contender.install(cache)
    with socket.create_server(("127.0.0.1", 0)) as free, tempfile.TemporaryDirectory() as folder:
        port = free.getsockname()[1]
        free.close()
        environment = {**os.environ, **installed.environment(port)}
        process = ServerProcess(installed.command(port, Path(folder)), environment, Path(folder) / "log", Path(folder))
        try:
            return _ask_fixed(f"http://127.0.0.1:{port}", seconds, connections)
        finally:
            process.stop()


def _ask_fixed(endpoint: str, seconds: int, connections: int) -> str:
    elb = boto3.client(
        "elbv2",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 30, "mode": "standard"}),
    )
    for _ in range(60):
        try:
            elb.describe_load_balancers()
            break
        except EndpointConnectionError:
            time.sleep(0.5)
    made = elb.create_load_balancer(Name="fixed", Subnets=["subnet-1", "subnet-2"])["LoadBalancers"][0]
    elb.create_listener(
        LoadBalancerArn=made["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=FIXED_RESPONSE
    )
    measured = _measure(f"{endpoint}/_alb/fixed/", seconds, connections, os.getpid())
    return f"{measured.rate:,.0f} requests/s, p99 {measured.slow}"


FIXED_RESPONSE: Final = [
    {
        "Type": "fixed-response",
        "FixedResponseConfig": {"StatusCode": "200", "ContentType": "text/plain", "MessageBody": "x" * 100},
    }
]


def _parse() -> argparse.Namespace:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--rounds", type=int, default=3)
    given.add_argument("--seconds", type=int, default=4)
    given.add_argument("--connections", type=int, default=32)
    given.add_argument("--idle", type=int, default=0)
    given.add_argument("--ministack", action="store_true")
    return given.parse_args()


def main() -> None:
    """Measure, and print a table."""
    options = _parse()
    with tempfile.TemporaryDirectory() as folder, Server.start("--data", f"{folder}/data") as server:
        assert server.process is not None
        root = server.process.pid
        scene = Scene(server, Path(folder) / "data")
        world = World(scene, Path(folder) / "bare", root)
        offset = 0 if os.geteuid() == 0 else 8000
        many = scene.make_balancer("many-rules", "application", "HTTP", 80, 100)
        application = scene.make_balancer("application", "application", "HTTP", 80, 1)
        network = scene.make_balancer("network", "network", "TCP", 80)
        urls = {
            "bare Envoy, HTTP": f"http://{world.address}:8081/",
            "application load balancer, one rule": f"http://{application}:{80 + offset}/",
            "application load balancer, 100 rules": f"http://{many}:{80 + offset}/",
            "bare Envoy, TCP": f"http://{world.address}:8082/",
            "network load balancer": f"http://{network}:{80 + offset}/",
        }
        for url in urls.values():
            _measure(url, 1, options.connections, root)
        rounds: dict[str, list[Measured]] = {name: [] for name in urls}
        for _ in range(options.rounds):
            for name, url in urls.items():
                rounds[name].append(_measure(url, options.seconds, options.connections, root))
        before = Measured(0.0, "", 0.0)
        for name, found in rounds.items():
            rate, cost = (statistics.median(getattr(each, part) for each in found) for part in ("rate", "microseconds"))
            is_bare = name.startswith("bare")
            before = Measured(rate, "", cost) if is_bare else before
            ratio = "" if is_bare else f" ({rate / before.rate:.2f})"
            share = "" if is_bare else f" ({before.microseconds / cost:.2f})"
            slow = ", ".join(each.slow for each in found)
            sys.stdout.write(f"{name}: {rate:,.0f} requests/s{ratio}; {cost:.1f} µs each{share}; p99 {slow}\n")
        changed = urls["application load balancer, 100 rules"]
        told = _change_rules(scene, "many-rules", changed, options.seconds, options.connections, root)
        sys.stdout.write(f"{told}\nall Envoys: {_measure_memory(root)}\n")
        if options.ministack:
            fixed = scene.make_fixed()
            ours = _measure(f"http://{fixed}:{80 + offset}/", options.seconds, options.connections, root)
            sys.stdout.write(f"a fixed response: {ours.rate:,.0f} requests/s, p99 {ours.slow}\n")
            sys.stdout.write(f"of ministack: {_ask_ministack(options.seconds, options.connections)}\n")
        if options.idle:
            scene.make_idle(options.idle)
            sys.stdout.write(f"all Envoys with {options.idle} load balancers: {_measure_memory(root)}\n")


if __name__ == "__main__":
    main()
