"""A Cloudlet whose VPCs have programs in them: containers of its keeper."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from cloudlet.engines.containers.description import Container
from cloudlet.engines.keeper.client import KeeperClient, KeeperError
from cloudlet.testing.server import Aws, Server, fresh_account
from tests.engines.keeper import images
from tests.standing import eventually

_numbers = count()


@dataclass
class Machine:
    """A running Cloudlet, and an image of busybox."""

    folder: Path
    server: Server
    account: str = field(default_factory=fresh_account)

    @property
    def ec2(self) -> Any:
        return self.client("ec2")

    def client(self, service: str) -> Any:
        return Aws(self.server.endpoint, self.account).client(service)

    def call(self, function: str, **arguments: Any) -> Any:
        """Call a function of the keeper."""
        assert self.server.process is not None
        owner = self.server.process.pid

        async def call() -> Any:
            client = KeeperClient(self.folder / "data/keeper", owner)
            try:
                return await client.call(function, **arguments)
            finally:
                client.close()

        return asyncio.run(call())

    def networks(self) -> dict[str, dict[str, str]]:
        """Return the addresses of interfaces by name, by network. One whose keeper is just ending has none."""
        with suppress(KeeperError):
            found: dict[str, dict[str, str]] = self.call("describe")["networks"]
            return found
        return {}

    def run(self, interface: dict[str, Any], *command: str) -> str:
        """Start a container at an interface; return its name."""
        name = f"c{next(_numbers)}"
        container = Container(
            str(self.folder / "image"),
            str(self.folder / f"{name}-scratch"),
            command,
            str(self.folder / f"{name}.log"),
            environment={"PATH": "/bin"},
            network=interface["VpcId"],
            interface=interface["NetworkInterfaceId"],
        )
        assert self.call("run", name=name, spec=msgspec.to_builtins(container))
        return name

    def serve(self, interface: dict[str, Any], port: int = 80) -> None:
        """Start a web server at an interface."""
        self.run(interface, "httpd", "-f", "-p", str(port), "-h", "/srv")

    def can_reach(self, interface: dict[str, Any], address: str, port: int = 80) -> bool:
        """Whether a program at an interface gets a connection."""
        return self.succeeds(interface, "nc", "-w", "1", address, str(port))

    def can_resolve(self, interface: dict[str, Any], name: str, resolver: str) -> bool:
        """Whether a program at an interface gets the address of a name."""
        return self.succeeds(interface, "nslookup", "-type=a", name, resolver)

    def has_mac(self, interface: dict[str, Any]) -> bool:
        """Whether a program at an interface finds the hardware address that the API tells."""
        look = f"busybox ifconfig eth0 | busybox grep -iq {interface['MacAddress']}"
        return self.succeeds(interface, "sh", "-c", look)

    def succeeds(self, interface: dict[str, Any], *command: str) -> bool:
        name = self.run(interface, *command)
        found = eventually(lambda: [self.call("describe")["containers"].get(name)], lambda code: code != [None])
        return found == [0]

    def await_interface(self, name: str) -> dict[str, Any]:
        """Return an interface once it is available."""

        def look() -> dict[str, Any]:
            found: dict[str, Any] = self.ec2.describe_network_interfaces(NetworkInterfaceIds=[name])[
                "NetworkInterfaces"
            ][0]
            return found

        return eventually(look, lambda interface: interface["Status"] != "pending")


@contextmanager
def machine(user: int | None = None) -> Iterator[Machine]:
    """Run a Cloudlet until the end of the `with` block, as another user where one is given."""
    # Not a folder of pytest's, which no other user may enter: containers have users of their own.
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        images.make(folder)
        if user is not None:
            os.chown(folder, user, user)
        with Server.start("--data", str(folder / "data"), user=user) as server:
            yield Machine(folder, server)
