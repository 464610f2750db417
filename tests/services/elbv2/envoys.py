"""A real Envoy on loopback, configured from views; and targets that tell what they were asked."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

from cloudlet.engines.envoy import program
from cloudlet.engines.envoy.configuration_server import ConfigurationServer
from cloudlet.engines.envoy.snapshot import Snapshot
from cloudlet.services.elbv2.proxy.block_server import BlockServer
from cloudlet.services.elbv2.proxy.snapshots import Paths, make_snapshot
from cloudlet.services.elbv2.proxy.view import (
    Certificate,
    Listener,
    LoadBalancer,
    Target,
    TargetGroup,
    TrustStore,
    View,
)
from tests.certificates import make_pair

ACCOUNT = "123456789012"
LOGGED = {"access_logs.s3.enabled": "true", "connection_logs.s3.enabled": "true"}
"""Attributes of a load balancer that writes logs."""
REGION = "us-east-1"
_ARN = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}"
_NODE = "test"
_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"
_Result = TypeVar("_Result")


def wait_for(condition: Callable[[], _Result], seconds: float = 10.0) -> _Result:
    """Return what a function returns, once that is true."""
    end = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < end, "it has not become true"
        time.sleep(0.02)
    return result


def find_port() -> int:
    """Return a port that is free."""
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        port: int = made.getsockname()[1]
        return port


@dataclass
class Answer:
    """A response."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def get(self, name: str) -> str | None:
        """Return a header."""
        return next((value for known, value in self.headers if known.lower() == name.lower()), None)

    def list(self, name: str) -> list[str]:
        """Return all values of a header."""
        return [value for known, value in self.headers if known.lower() == name.lower()]

    @property
    def seen(self) -> dict[str, Any]:
        """Return what the target has seen."""
        found: dict[str, Any] = json.loads(self.body)
        return found


def ask(port: int, path: str = "/", method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
    """Return the response to a request; underscores in names of headers are hyphens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        response = connection.getresponse()
        return Answer(response.status, response.getheaders(), response.read())
    finally:
        connection.close()


def find_end(cookie: str) -> float:
    """Return when a cookie ends."""
    attributes = dict(each.strip().partition("=")[::2] for each in cookie.split(";"))
    return parsedate_to_datetime(attributes["Expires"]).timestamp()


@dataclass
class Web:
    """A target: an HTTP server that answers with what it was asked."""

    name: str
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)
    delay: float = 0.0

    def __post_init__(self) -> None:
        web = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                length = int(self.headers.get("content-length", 0))
                seen = {
                    "target": web.name,
                    "method": self.command,
                    "path": self.path,
                    "headers": {name.lower(): value for name, value in self.headers.items()},
                    "body": self.rfile.read(length).decode(),
                    "client": self.client_address[0],
                }
                web.asked.append(seen)
                time.sleep(web.delay)
                body = json.dumps(seen).encode()
                self.send_response_only(web.status)
                for name, value in web.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_OPTIONS = answer

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port: int = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """End it."""
        self.server.shutdown()
        self.server.server_close()


class Envoy:
    """An Envoy with its configuration server."""

    def __init__(self, folder: Path, modules: Path | None = None) -> None:
        self.folder = folder
        self.paths = Paths(str(folder / "block"), str(folder / "health"), has_module=modules is not None)
        self.logged: list[tuple[str, Any]] = []
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self.server = ConfigurationServer(logged=self._take)
        socket_path = str(folder / "xds")
        self.run(self.server.listen_at(Path(socket_path)))
        bootstrap = folder / "bootstrap.json"
        bootstrap.write_text(json.dumps(_make_bootstrap(socket_path, folder)))
        command = [
            str(program.find()),
            "-c",
            str(bootstrap),
            "--disable-hot-restart",
            "--concurrency",
            "1",
            "-l",
            "warning",
        ]
        self._log = (folder / "log").open("w")
        self._process = subprocess.Popen(
            [*command, "--file-flush-interval-msec", "50"],
            stdout=self._log,
            stderr=self._log,
            env={**os.environ, **({program.MODULES: str(modules)} if modules else {})},
        )

    def run(self, awaited: Any) -> Any:
        """Run something in the loop of the configuration server."""
        return asyncio.run_coroutine_threadsafe(awaited, self._loop).result(20)

    async def _take(self, node: str, name: str, entries: list[Any]) -> None:
        self.logged += [(name, entry) for entry in entries]

    def listen(self, block: BlockServer) -> Callable[[], None]:
        """Answer in the block's place; return a function that ends that."""
        server: asyncio.Server = self.run(self._loop.create_unix_server(block.make_protocol, self.paths.block))

        async def close() -> None:
            server.close()
            block.close()
            Path(self.paths.block).unlink(missing_ok=True)

        return lambda: self.run(close())

    def apply(self, view: View, make: Callable[[View, Paths], Snapshot] = make_snapshot) -> None:
        """Have it be as a view says."""

        async def apply() -> bool:
            self.server.set_snapshot(_NODE, make(view, self.paths))
            return await self.server.wait_until_applied(_NODE, 10)

        is_applied = self.run(apply())
        assert not self.server.list_refusals(_NODE), self.server.list_refusals(_NODE)
        assert is_applied, (self.folder / "log").read_text()

    def read_lines(self) -> list[str]:
        """Return the lines of the file of events of health checks."""
        path = self.folder / "health"
        return path.read_text().splitlines() if path.exists() else []

    def read_events(self) -> list[dict[str, Any]]:
        """Return the events of health checks."""
        return [json.loads(line) for line in self.read_lines()]

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        self._log.close()
        self.run(self.server.close())
        self._loop.call_soon_threadsafe(self._loop.stop)


def _make_bootstrap(socket_path: str, folder: Path) -> dict[str, Any]:
    admin = {"pipe": {"path": str(folder / "admin")}}
    return program.write_bootstrap(_NODE, {"pipe": {"path": socket_path}}, admin)


@contextmanager
def open_envoy(folder: Path, modules: Path | None = None) -> Iterator[Envoy]:
    """Yield an Envoy, which may have modules in a folder."""
    made = Envoy(folder, modules)
    try:
        yield made
    finally:
        made.close()


# Views


def make_group(
    name: str, *targets: Web | tuple[str, int], attributes: dict[str, str] | None = None, **more: Any
) -> TargetGroup:
    """Return a target group with targets on loopback, without health checks unless they are asked for."""
    description = {
        "TargetGroupArn": f"{_ARN}:targetgroup/{name}/0123456789abcdef",
        "TargetGroupName": name,
        "Protocol": "HTTP",
        "ProtocolVersion": "HTTP1",
        "TargetType": "ip",
        "HealthCheckEnabled": False,
        "HealthCheckProtocol": "HTTP",
        "HealthCheckPort": "traffic-port",
        "HealthCheckPath": "/",
        "HealthCheckIntervalSeconds": 1,
        "HealthCheckTimeoutSeconds": 1,
        "HealthyThresholdCount": 2,
        "UnhealthyThresholdCount": 2,
        "Matcher": {"HttpCode": "200"},
        **more,
    }
    places = [("127.0.0.1", each.port) if isinstance(each, Web) else each for each in targets]
    return TargetGroup(description, attributes or {}, tuple(Target(host, port, host) for host, port in places))


def forward(*groups: TargetGroup, weights: tuple[int, ...] = (), sticky: int = 0) -> dict[str, Any]:
    """Return an action that forwards to groups."""
    pairs = zip(groups, weights or [1] * len(groups), strict=True)
    config: dict[str, Any] = {
        "TargetGroups": [{"TargetGroupArn": group.arn, "Weight": weight} for group, weight in pairs]
    }
    if sticky:
        config["TargetGroupStickinessConfig"] = {"Enabled": True, "DurationSeconds": sticky}
    return {"Type": "forward", "ForwardConfig": config}


def answer(status: int, body: str = "", kind: str = "text/plain") -> dict[str, Any]:
    """Return an action that answers by itself."""
    config = {"StatusCode": str(status), "MessageBody": body, "ContentType": kind}
    return {"Type": "fixed-response", "FixedResponseConfig": config}


def redirect(status: int = 301, **config: str) -> dict[str, Any]:
    """Return an action that redirects."""
    named = {"Protocol": "#{protocol}", "Host": "#{host}", "Port": "#{port}", "Path": "/#{path}", "Query": "#{query}"}
    return {"Type": "redirect", "RedirectConfig": {**named, **config, "StatusCode": f"HTTP_{status}"}}


def make_rule(priority: int, conditions: list[dict[str, Any]], *actions: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a rule."""
    return {
        "RuleArn": f"{_ARN}:listener-rule/app/test/1/2/{priority}",
        "Priority": str(priority),
        "Conditions": conditions,
        "Actions": list(actions),
        **more,
    }


def make_listener(
    *actions: dict[str, Any],
    rules: list[dict[str, Any]] | None = None,
    port: int = 0,
    protocol: str = "HTTP",
    kind: str = "app",
    attributes: dict[str, str] | None = None,
    certificates: tuple[str, ...] = (),
    **more: Any,
) -> Listener:
    """Return a listener on loopback."""
    port = port or find_port()
    description = {
        "ListenerArn": f"{_ARN}:listener/{kind}/test/0123456789abcdef/{port:016x}",
        "Port": port,
        "Protocol": protocol,
        "DefaultActions": list(actions),
        **more,
    }
    return Listener(description, attributes or {}, tuple(rules or ()), certificates)


def make_certificate(*hosts: str, name: str = "1") -> Certificate:
    """Return a certificate of ACM for hosts."""
    pair = make_pair(*hosts)
    arn = f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/{name}"
    return Certificate(arn, pair.body.decode(), pair.private.decode())


def make_secure_listener(*actions: dict[str, Any], certificates: Iterable[Certificate], **more: Any) -> Listener:
    """Return a listener on loopback with TLS."""
    arns = tuple(each.arn for each in certificates)
    return make_listener(*actions, **{"protocol": "HTTPS", "SslPolicy": _POLICY, **more}, certificates=arns)


def make_context() -> ssl.SSLContext:
    """Return a context for TLS that trusts any server."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def connect_securely(port: int, name: str = "www.example.com", context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
    """Return a connection with TLS to a listener on loopback, which is asked for a host."""
    plain = socket.create_connection(("127.0.0.1", port), timeout=5)
    return (context or make_context()).wrap_socket(plain, server_hostname=name)


def make_view(
    *listeners: Listener,
    groups: tuple[TargetGroup, ...] = (),
    kind: str = "application",
    attributes: dict[str, str] | None = None,
    certificates: tuple[Certificate, ...] = (),
    trust_stores: tuple[TrustStore, ...] = (),
    **more: Any,
) -> View:
    """Return the view of one load balancer on loopback."""
    short = {"application": "app", "network": "net"}[kind]
    description = {
        "LoadBalancerArn": f"{_ARN}:loadbalancer/{short}/test/0123456789abcdef",
        "LoadBalancerName": "test",
        "DNSName": "test.elb.amazonaws.com",
        "Type": kind,
        "Scheme": "internal",
    }
    balancer = LoadBalancer(description, attributes or {}, listeners, addresses=("127.0.0.1",), **more)
    return View(
        ACCOUNT,
        REGION,
        "vpc-1",
        (balancer,),
        {group.arn: group for group in groups},
        {each.arn: each for each in certificates},
        {each.arn: each for each in trust_stores},
    )
