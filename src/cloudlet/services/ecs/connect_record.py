"""Service Connect as it is stored: ports of services, and endpoints of tasks."""

from __future__ import annotations

from typing import Any

import msgspec


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


class ConnectEndpoint(msgspec.Struct, frozen=True):
    """A port of a service, at an address of a task's own loopback."""

    address: str
    port: ConnectPort


class TaskConnect(msgspec.Struct, frozen=True):
    """The endpoints that a task reaches: those that were there when it was started."""

    namespace_name: str
    endpoints: list[ConnectEndpoint] = []
    log: dict[str, Any] = {}
    log_level: str = "info"
