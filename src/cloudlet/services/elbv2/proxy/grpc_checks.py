"""Health checks by calls of gRPC.

Their status is in trailers, where Envoy does not look: it asks the block.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any, Final

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, Event, ResponseReceived, StreamEnded, StreamReset, TrailersReceived
from h2.exceptions import ProtocolError

from cloudlet.engines.keeper.client import KeeperClient, KeeperError
from cloudlet.services.elbv2.proxy import health_checks
from cloudlet.services.elbv2.proxy.block_server import Request, Response
from cloudlet.services.elbv2.proxy.view import TargetGroup, View

_OK: Final = 200
_UNKNOWN: Final = "2"
_STREAM: Final = 1
_EMPTY_MESSAGE: Final = bytes(5)
_MAX_READ_BYTES: Final = 1 << 16
_DEFAULT_TIMEOUT_SECONDS: Final = 5


async def answer(keeper: KeeperClient, view: View, group: TargetGroup, request: Request) -> Response | None:
    """Return a response that tells what a target has answered; None where it has not.

    The request names the target as its host. A status that is not the group's is told as one of HTTP (`make_status`).
    """
    address, _, port = request.get("host").rpartition(":")
    description = group.description
    seconds = int(description.get("HealthCheckTimeoutSeconds", _DEFAULT_TIMEOUT_SECONDS))
    try:
        async with asyncio.timeout(seconds):
            made = await _open_socket(keeper, view, group)
            status = await _call(made, address, int(port), group)
    except (OSError, ValueError, KeeperError, ProtocolError):
        return None
    codes = health_checks.parse_codes((description.get("Matcher") or {}).get("GrpcCode") or "12")
    is_healthy = any(each["start"] <= status < each["end"] for each in codes)
    return Response(_OK if is_healthy else health_checks.make_status(status))


async def _open_socket(keeper: KeeperClient, view: View, group: TargetGroup) -> socket.socket:
    """Return a socket of a load balancer in its VPC."""
    made = await keeper.call_for_socket("open_socket", network=view.vpc, is_shared=True)
    for each in view.load_balancers:
        if each.arn in (group.description.get("LoadBalancerArns") or ()) and each.addresses:
            made.bind((each.addresses[0], 0))
    return made


async def _call(made: socket.socket, address: str, port: int, group: TargetGroup) -> int:
    """Return the status of a call."""
    is_secure = group.description.get("HealthCheckProtocol") == "HTTPS"
    context = _make_context() if is_secure else None
    with made:
        await asyncio.get_running_loop().sock_connect(made, (address, port))
        reader, writer = await asyncio.open_connection(
            sock=made.dup(), ssl=context, server_hostname=address if is_secure else None
        )
    try:
        connection = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        connection.initiate_connection()
        path = group.description.get("HealthCheckPath") or health_checks.GRPC_PATH
        head = {":method": "POST", ":scheme": "https" if is_secure else "http", ":path": path}
        head |= {":authority": f"{address}:{port}", "te": "trailers", "content-type": "application/grpc"}
        connection.send_headers(_STREAM, [*head.items(), ("user-agent", health_checks.AGENT)])
        connection.send_data(_STREAM, _EMPTY_MESSAGE, end_stream=True)
        return await _read_status(connection, reader, writer)
    finally:
        writer.close()


def _make_context() -> ssl.SSLContext:
    # Certificates of targets are not verified, as on AWS.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context


async def _read_status(connection: H2Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    found = _UNKNOWN
    while True:
        writer.write(connection.data_to_send())
        received = await reader.read(_MAX_READ_BYTES)
        if not received:
            raise ConnectionError("the target has closed the connection")
        for event in connection.receive_data(received):
            found = _find_status(event) or found
            if isinstance(event, StreamEnded):
                return int(found)
            if isinstance(event, StreamReset | ConnectionTerminated):
                raise ConnectionError("the target has ended the call")


def _find_status(event: Event) -> str:
    if isinstance(event, ResponseReceived | TrailersReceived):
        named: dict[Any, Any] = dict(event.headers or ())
        return str(named.get("grpc-status", ""))
    return ""
