"""Namespaces, services, instances and operations as they are stored."""

from __future__ import annotations

import msgspec

from cloudlet.core.aws.arn import partition_of
from cloudlet.services.servicediscovery.states import CREATING, SUBMITTED

HTTP, DNS_PUBLIC, DNS_PRIVATE = "HTTP", "DNS_PUBLIC", "DNS_PRIVATE"
DEFAULT_SOA_TTL_SECONDS = 15


class Namespace(msgspec.Struct, frozen=True):
    account: str
    region: str
    name: str
    """The id. Records are kept by name."""
    title: str
    http_name: str
    type: str
    created: float
    creator: str = ""
    """The CreatorRequestId."""
    description: str = ""
    vpc: str = ""
    soa_ttl: int = DEFAULT_SOA_TTL_SECONDS
    zone: str = ""
    """The id of its hosted zone."""
    state: str = CREATING
    operation: str = ""
    """The id of the operation that is under way."""

    @property
    def arn(self) -> str:
        return f"arn:{partition_of(self.region)}:servicediscovery:{self.region}:{self.account}:namespace/{self.name}"


class DnsRecord(msgspec.Struct, frozen=True):
    type: str
    ttl: int


class HealthCheckSettings(msgspec.Struct, frozen=True):
    type: str
    path: str
    threshold: int


class DiscoveryService(msgspec.Struct, frozen=True):
    account: str
    region: str
    name: str
    """The id. Records are kept by name."""
    title: str
    namespace: str
    created: float
    creator: str = ""
    description: str = ""
    policy: str = ""
    records: tuple[DnsRecord, ...] = ()
    """None where it is found by DiscoverInstances alone."""
    health_check: HealthCheckSettings | None = None
    has_custom_health: bool = False
    attributes: dict[str, str] = {}
    operation: str = ""
    """The id of the update that is under way."""
    health_version: int = 1
    """Raised by each change of its health checks."""
    former_types: tuple[str, ...] = ()
    """The types of records that it once had, which instances may still have."""

    @property
    def arn(self) -> str:
        return f"arn:{partition_of(self.region)}:servicediscovery:{self.region}:{self.account}:service/{self.name}"


class Instance(msgspec.Struct, frozen=True):
    account: str
    region: str
    service: str
    id: str
    attributes: dict[str, str]
    creator: str = ""
    custom_health: str = ""
    """HEALTHY or UNHEALTHY, where the service has custom health."""
    health_check: str = ""
    """The id of its health check in Route 53."""
    registration: int = 1
    """Raised by each registration: it makes a health check of its own."""
    state: str = CREATING
    operation: str = ""


class MapOperation(msgspec.Struct, frozen=True):
    account: str
    region: str
    name: str
    """The id. Records are kept by name."""
    type: str
    targets: dict[str, str]
    created: float
    updated: float
    status: str = SUBMITTED
    error_code: str = ""
    error_message: str = ""
    service: str = ""
    """The id of the service that it is about, for lists."""
    namespace: str = ""
