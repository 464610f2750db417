"""Service Connect as it is stored: ports of services, and endpoints of tasks."""

from __future__ import annotations

from typing import Any

import msgspec


class AccessLog(msgspec.Struct, frozen=True):
    """The way in which a proxy writes down the requests that pass it."""

    format: str
    """TEXT or JSON."""
    has_queries: bool = False


class ConnectPort(msgspec.Struct, frozen=True):
    """A port of a service that others of its namespace reach by a name."""

    discovery_name: str
    """The name of the service in AWS Cloud Map."""
    container_port: int
    protocol: str = ""
    """`http`, `http2` or `grpc`; empty for TCP."""
    dns_name: str = ""
    """The name by which clients reach it; empty where they do not."""
    port: int = 0
    idle_seconds: int | None = None
    request_seconds: int | None = None
    ingress_override: int = 0
    """The port at which the proxy takes requests, if not the container's."""
    test_header: str = ""
    """The header of requests that are test traffic of a deployment; empty for AWS's."""
    test_value: str = ""
    """The value that it must have; empty for any."""

    @property
    def ingress_port(self) -> int:
        """The port of a task at which its proxy takes requests."""
        return self.ingress_override or self.container_port


class Connect(msgspec.Struct, frozen=True):
    """The part of a service in a namespace."""

    namespace_id: str
    namespace_arn: str
    namespace_title: str
    namespace_name: str
    """The name for the discovery of instances."""
    ports: list[ConnectPort] = []
    log: dict[str, Any] = {}
    """The `logConfiguration` of its proxies."""
    log_level: str = "info"
    access_log: AccessLog | None = None


class ConnectEndpoint(msgspec.Struct, frozen=True):
    """A port of a service, at an address of a task's own loopback."""

    address: str
    port: ConnectPort


class TaskConnect(msgspec.Struct, frozen=True):
    """The proxy of a task, with the endpoints that were there when it started."""

    namespace_name: str
    endpoints: list[ConnectEndpoint] = []
    log: dict[str, Any] = {}
    log_level: str = "info"
    access_log: AccessLog | None = None
    ports: list[ConnectPort] = []
    """The ports of the task that its proxy takes requests for."""

    @property
    def entries(self) -> dict[int, ConnectPort]:
        """The first port of each ingress port; several discovery names may share one."""
        return {port.ingress_port: port for port in reversed(self.ports)}
