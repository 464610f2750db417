"""The configuration of one Envoy, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

Resource = dict[str, Any]
"""A resource in the JSON form of Envoy's protobuf message.

The names of fields are those of the message.
It has no `@type` itself; each `typed_config` in it has one (Envoy's API reference, v3).
"""


class Kind(Enum):
    """A kind of resource: its discovery service, and the URL of its type."""

    CLUSTER = "envoy.config.cluster.v3.Cluster"
    ENDPOINT = "envoy.config.endpoint.v3.ClusterLoadAssignment"
    SECRET = "envoy.extensions.transport_sockets.tls.v3.Secret"  # noqa: S105 - the name of a message
    LISTENER = "envoy.config.listener.v3.Listener"
    ROUTE = "envoy.config.route.v3.RouteConfiguration"

    @property
    def url(self) -> str:
        """The URL of the type."""
        return f"type.googleapis.com/{self.value}"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All resources of an Envoy, by the names that they have in themselves."""

    listeners: Mapping[str, Resource] = field(default_factory=dict)
    routes: Mapping[str, Resource] = field(default_factory=dict)
    clusters: Mapping[str, Resource] = field(default_factory=dict)
    endpoints: Mapping[str, Resource] = field(default_factory=dict)
    secrets: Mapping[str, Resource] = field(default_factory=dict)

    def get(self, kind: Kind) -> Mapping[str, Resource]:
        """Return the resources of a kind."""
        return {
            Kind.CLUSTER: self.clusters,
            Kind.ENDPOINT: self.endpoints,
            Kind.SECRET: self.secrets,
            Kind.LISTENER: self.listeners,
            Kind.ROUTE: self.routes,
        }[kind]
