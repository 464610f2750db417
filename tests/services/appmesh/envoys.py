"""Real Envoys on the loopback network, with applications behind them that count their requests."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tempfile
import threading
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import SystemRandom
from types import TracebackType
from typing import Any, Final

from cloudlet.engines.envoy import program
from cloudlet.engines.envoy.mesh_bootstrap import BootstrapOptions, make_bootstrap
from cloudlet.services.appmesh.proxy.outbound import EGRESS_PORT
from tests.services.appmesh.mesh_cloud import MeshCloud
from tests.standing import eventually

_random: Final = SystemRandom()
SIGNED: Final = BootstrapOptions(region="us-east-1")
"""Calls are signed by the account's root, which only a server in strict mode asks for."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: str
    headers: Mapping[str, str]


def request(
    address: str, port: int, host: str, path: str = "/", method: str = "GET", headers: Mapping[str, str] | None = None
) -> Answer:
    """Make a request for a host to a port of an address."""
    connection = HTTPConnection(address, port, timeout=20)
    try:
        connection.request(method, path, headers={"Host": host, **(headers or {})})
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, response.read().decode("utf-8", "replace"), names)
    finally:
        connection.close()


@dataclass
class Application:
    """A server of HTTP that answers its name, or as it is told, and keeps its requests."""

    name: str
    address: str
    port: int
    status: int = 200
    failures: int = 0
    """The number of requests that it answers by 503 first."""
    delay: Callable[[], object] = lambda: None
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def start(self) -> ThreadingHTTPServer:
        application = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                application.paths.append(self.path)
                application.headers.append({name.lower(): value for name, value in self.headers.items()})
                application.delay()
                status = application.status
                if application.failures:
                    application.failures -= 1
                    status = 503
                body = application.name.encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            request_queue_size = 128

            def handle_error(self, request: Any, client_address: Any) -> None:
                """Say nothing of connections that end."""

        server = Server((self.address, self.port), Handler)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server


class Envoys:
    """The Envoys and applications of one mesh. Each virtual node has an address, its application another one."""

    def __init__(self, cloud: MeshCloud) -> None:
        self.cloud = cloud
        self.options = SIGNED
        self._net = f"127.{_random.randrange(100, 250)}.{_random.randrange(1, 250)}"
        self._count = 0
        self._processes: list[subprocess.Popen[bytes]] = []
        self._servers: list[ThreadingHTTPServer] = []
        self._folder = tempfile.TemporaryDirectory(prefix="mesh")
        self.folder = Path(self._folder.name)
        self.addresses: dict[str, str] = {}

    def __enter__(self) -> Envoys:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait()
        for server in self._servers:
            server.shutdown()
            server.server_close()
        self._folder.cleanup()

    @property
    def started(self) -> int:
        """The number of Envoys that were started, which is that of the last one."""
        return len(self._processes)

    def pick_address(self) -> str:
        """Return an address that nobody has."""
        self._count += 1
        return f"{self._net}.{self._count}"

    def show(self) -> dict[str, Any]:
        """Return what the management service says of itself."""
        with urllib.request.urlopen(f"{self.cloud.aws.endpoint}/_cloudlet/appmesh/envoys") as answer:
            shown: dict[str, Any] = json.load(answer)
        return shown

    def serve(self, name: str, address: str, port: int = 8080) -> Application:
        """Start an application."""
        application = Application(name, address, port)
        self._servers.append(application.start())
        return application

    def start(
        self, path: str, address: str = "", application: str = "", options: BootstrapOptions | None = None
    ) -> str:
        """Start an Envoy of a node or gateway by its path, and wait until it is ready; return its address."""
        address = address or self.pick_address()
        node = f"arn:aws:appmesh:us-east-1:{self.cloud.account}:mesh/{self.cloud.mesh}/{path}@{address}"
        self.launch(f"{node}/{application}" if application else node)
        name = path.rpartition("/")[2]
        self.addresses[name] = address
        eventually(lambda: self._ask_admin(len(self._processes), "/ready"), lambda text: text.startswith("LIVE"))
        return address

    def launch(
        self, node_id: str, env: Mapping[str, str] | None = None, options: BootstrapOptions | None = None
    ) -> subprocess.Popen[bytes]:
        """Start an Envoy by its id."""
        number = len(self._processes) + 1
        keys = {"AWS_ACCESS_KEY_ID": self.cloud.account, "AWS_SECRET_ACCESS_KEY": "test"}
        admin = str(self.folder / f"admin{number}")
        bootstrap = make_bootstrap(node_id, self.show()["address"], replace(options or self.options, admin=admin))
        file = self.folder / f"envoy{number}.json"
        file.write_text(json.dumps(bootstrap))
        arguments = ["--disable-hot-restart", "--concurrency", "1", "-l", "error", "--file-flush-interval-msec", "50"]
        process = subprocess.Popen(
            [str(program.find()), "-c", str(file), *arguments],
            env={**os.environ, **keys, **(env or {})},
            cwd=self.folder,
        )
        self._processes.append(process)
        return process

    def _ask_admin(self, number: int, path: str) -> str:
        """Return what an Envoy's admin interface answers; nothing while it does not."""
        connection = HTTPConnection("localhost")
        try:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.connect(str(self.folder / f"admin{number}"))
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        except OSError:
            return ""
        finally:
            connection.close()

    def read_stats(self, number: int, name: str) -> dict[str, int]:
        """Return the statistics of an Envoy that have a name in theirs."""
        lines = self._ask_admin(number, f"/stats?filter={name}").splitlines()
        pairs = (line.rpartition(": ") for line in lines)
        return {key: int(value) for key, _, value in pairs if value.isdigit()}

    def add_node(self, name: str, *listeners: dict[str, Any], **spec: Any) -> Application:
        """Create a virtual node with an application, and start its Envoy."""
        address, application = self.pick_address(), self.pick_address()
        self.cloud.create_node(name, *listeners, host=address, **spec)
        server = self.serve(name, application, listeners[0]["portMapping"]["port"])
        self.start(f"virtualNode/{name}", address, application)
        return server

    def add_client(self, *backends: str, name: str = "front", **spec: Any) -> str:
        """Create a virtual node that calls virtual services, and start its Envoy; return its address."""
        services = [{"virtualService": {"virtualServiceName": each}} for each in backends]
        self.cloud.create_node(name, backends=services, **spec)
        return self.start(f"virtualNode/{name}")

    def call(self, host: str, path: str = "/", client: str = "front", **more: Any) -> Answer:
        """Make a request for a virtual service through the Envoy of a client."""
        return request(self.addresses[client], EGRESS_PORT, host, path, **more)

    def count(self, host: str, times: int, path: str = "/", **more: Any) -> Counter[str]:
        """Make requests; return how often each application has answered."""
        return Counter(self.call(host, path, **more).body for _ in range(times))

    def expect(self, host: str, expected: str, path: str = "/", **more: Any) -> None:
        """Wait until an application answers for a virtual service."""
        eventually(lambda: self.call(host, path, **more).body, lambda body: body == expected)
