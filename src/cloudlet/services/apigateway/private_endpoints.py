"""Private integrations: requests that go through a VPC link.

Developer guide, "Create private integrations for HTTP APIs" and "Set up API Gateway private integrations".
An HTTP API's link has network interfaces in a VPC, by which requests reach a load balancer, or instances of Cloud Map.
A REST API's link leads to one network load balancer, by its address on this machine.
"""

from __future__ import annotations

import asyncio
import socket
from time import monotonic
from typing import Any, Final, NamedTuple

from cloudlet.core import AwsError
from cloudlet.core.aws.arn import Arn
from cloudlet.core.host.keeper_access import open_keeper
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import random_below
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.engines.http_client import HttpClient
from cloudlet.engines.keeper.client import KeeperClient, KeeperError
from cloudlet.services.apigateway import links
from cloudlet.services.apigateway.block import service
from cloudlet.services.apigateway.documents import Place
from cloudlet.services.apigateway.functions import Failed
from cloudlet.services.apigateway.rest import store

_KNOWN_SECONDS: Final = 5.0
_MAX_KNOWN_TARGETS: Final = 1000
_CONNECTIONS: Final = 512


class Endpoint(NamedTuple):
    """The end of a private integration, and the client that reaches it."""

    client: HttpClient
    origin: str
    """Scheme, address and port."""
    host: str
    """The host that requests name."""


class _Lookup(NamedTuple):
    endpoints: tuple[Endpoint, ...]
    until: float


class PrivateEndpoints:
    """Endpoints that were looked up lately, and the clients of links."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self.keeper: KeeperClient = open_keeper(block)
        self._known: dict[tuple[Place, str, str], _Lookup] = {}
        self._clients: dict[str, HttpClient] = {}
        self._balancers = HttpClient(dial=self._open_on_machine, connections=_CONNECTIONS)

    async def find(self, place: Place, link: str, target: str) -> Endpoint:
        """Return where an HTTP API's integration leads to. Raises Failed.

        Its target is the ARN of a listener, or of a service of Cloud Map.
        """
        key = (place, link, target)
        known = self._known.get(key)
        if known is None or known.until < monotonic():
            try:
                known = _Lookup(await self._look_up(place, link, target), monotonic() + _KNOWN_SECONDS)
            except (AwsError, LookupError, ValueError) as error:
                raise Failed(503, f"Nothing is found behind the VPC link: {error}") from error
            if len(self._known) >= _MAX_KNOWN_TARGETS:
                self._known.clear()
            self._known[key] = known
        if not known.endpoints:
            raise Failed(503, "There is no instance behind the VPC link")
        return known.endpoints[random_below(len(known.endpoints))]

    async def _look_up(self, place: Place, link: str, target: str) -> tuple[Endpoint, ...]:
        found = await self._block.store.transact(lambda tx: links.find(tx, place.account, place.region, link))
        if found is None or found["VpcLinkStatus"] != links.AVAILABLE:
            raise LookupError("the link is not available")
        client = self._open_client(link, found["Vpc"], found["Interfaces"])
        if Arn.parse(target).service == "servicediscovery":
            return await self._find_instances(place, client, target)
        described = await self._call(place, "elbv2", "DescribeListeners", {"ListenerArns": [target]})
        listener = described["Listeners"][0]
        scheme = "https" if listener["Protocol"] in ("HTTPS", "TLS") else "http"
        balancer = await self._describe_balancer(place, listener["LoadBalancerArn"])
        addresses = [each["PrivateIPv4Address"] for each in _list_addresses(balancer)]
        return tuple(
            Endpoint(client, f"{scheme}://{each}:{listener['Port']}", balancer["DNSName"]) for each in addresses
        )

    async def _find_instances(self, place: Place, client: HttpClient, target: str) -> tuple[Endpoint, ...]:
        id = target.rpartition("/")[2]
        named = (await self._call(place, "servicediscovery", "GetService", {"Id": id}))["Service"]
        namespace = await self._call(place, "servicediscovery", "GetNamespace", {"Id": named["NamespaceId"]})
        wanted = {"NamespaceName": namespace["Namespace"]["Name"], "ServiceName": named["Name"]}
        found = await self._call(place, "servicediscovery", "DiscoverInstances", wanted)
        endpoints = []
        for each in found["Instances"]:
            attributes = each["Attributes"]
            if "AWS_INSTANCE_IPV4" in attributes:
                host = f"{attributes['AWS_INSTANCE_IPV4']}:{attributes.get('AWS_INSTANCE_PORT', '80')}"
                endpoints.append(Endpoint(client, f"http://{host}", host))
        return tuple(endpoints)

    async def find_balancer(self, place: Place, link: str, netloc: str, scheme: str) -> Endpoint:
        """Return where a REST API's integration leads to, by its URL's parts. Raises Failed."""
        port = int(netloc.rpartition(":")[2]) if ":" in netloc else 443 if scheme == "https" else 80
        try:
            found = await self._block.store.transact(
                lambda tx: store.find_owned_by(tx, place.account, place.region, "VpcLink", link)
            )
            if found is None:
                raise LookupError("there is no such link")
            balancer = await self._describe_balancer(place, found["targetArns"][0])
            address = _list_addresses(balancer)[0]["IpAddress"]
        except (AwsError, LookupError) as error:
            raise Failed(503, f"Nothing is found behind the VPC link: {error}") from error
        return Endpoint(self._balancers, f"{scheme}://{address}:{port}", netloc)

    async def _describe_balancer(self, place: Place, arn: str) -> dict[str, Any]:
        described = await self._call(place, "elbv2", "DescribeLoadBalancers", {"LoadBalancerArns": [arn]})
        return dict(described["LoadBalancers"][0])

    async def _call(self, place: Place, block: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        answer = await self._block.call(block, operation, params, account=place.account, region=place.region)
        return dict(answer or {})

    def _open_client(self, link: str, vpc: str, interfaces: list[str]) -> HttpClient:
        client = self._clients.get(link)
        if client is None:

            async def open_inside(host: str, port: int) -> socket.socket:
                interface = interfaces[random_below(len(interfaces))]
                try:
                    made = await self.keeper.call_for_socket("open_socket", network=vpc, interface=interface)
                except KeeperError as error:
                    raise ConnectionError(str(error)) from error
                return await _connect(made, host, port)

            client = self._clients[link] = HttpClient(dial=open_inside, connections=_CONNECTIONS)
        return client

    async def _open_on_machine(self, host: str, port: int) -> socket.socket:
        try:
            found = await self.keeper.call("find_endpoint_port", address=host, port=port)
        except KeeperError as error:
            raise ConnectionError(str(error)) from error
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        made.setblocking(False)
        return await _connect(made, host, found or port)

    async def close(self) -> None:
        """Close all connections."""
        for client in (*self._clients.values(), self._balancers):
            await client.close()
        self.keeper.close()


async def _connect(made: socket.socket, host: str, port: int) -> socket.socket:
    try:
        await asyncio.get_running_loop().sock_connect(made, (host, port))
    except BaseException:
        made.close()
        raise
    return made


def _list_addresses(balancer: dict[str, Any]) -> list[dict[str, str]]:
    return [address for zone in balancer["AvailabilityZones"] for address in zone["LoadBalancerAddresses"]]


PRIVATE_ENDPOINTS: Final = PerBlock(PrivateEndpoints)


@service.job
async def close_connections(block: Block) -> None:
    """Close the connections of VPC links when the block ends."""
    try:
        await asyncio.Event().wait()
    finally:
        await PRIVATE_ENDPOINTS.get(block).close()
