"""All load balancers of one VPC in AWS's own shapes, for their proxy.

The block's control plane makes a `View` of its records; nothing here reads the store. Descriptions are dictionaries as
the API's answers have them (botocore's `elbv2`), attributes are dictionaries of their keys with **all** keys that the
resource has, defaults included. Nothing is changed once it stands in a view.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Description = Mapping[str, Any]
Attributes = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Target:
    """A registered target, or one that is being deregistered."""

    id: str
    """An address, an instance id, or the ARN of a function or load balancer."""
    port: int
    """A port as it was registered, or the group's. 0 for functions."""
    address: str = ""
    """The address in the VPC, of an instance the machine's. Empty if unknown, and for functions."""
    zone: str = ""
    """An Availability Zone, or `all`."""
    registered: float = 0.0
    """The time from which slow start counts."""
    draining_until: float | None = None
    """The end of its deregistration delay. None for one that is registered."""


@dataclass(frozen=True, slots=True)
class TargetGroup:
    """A target group."""

    description: Description
    """The answer of DescribeTargetGroups: TargetGroupArn, Protocol, Matcher, ..."""
    attributes: Attributes
    """The answer of DescribeTargetGroupAttributes, by key."""
    targets: tuple[Target, ...]

    @property
    def arn(self) -> str:
        return str(self.description["TargetGroupArn"])


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate of ACM or IAM that a listener has. Its key is never logged nor shown."""

    arn: str
    chain: str
    """The certificate and its chain, in PEM."""
    key: str = field(repr=False)
    """The private key in PEM, not encrypted."""


@dataclass(frozen=True, slots=True)
class TrustStore:
    """The certificate authorities by which client certificates are verified."""

    arn: str
    authorities: str
    """In PEM."""
    revocations: tuple[str, ...] = ()
    """Revocation lists, in PEM."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A listener."""

    description: Description
    """The answer of DescribeListeners, with the ClientSecret of `authenticate-oidc` actions."""
    attributes: Attributes
    """The answer of DescribeListenerAttributes, by key."""
    rules: tuple[Description, ...] = ()
    """The answer of DescribeRules without the default rule, in the order of priorities."""
    certificates: tuple[str, ...] = ()
    """ARNs of its certificates, the default one first."""

    @property
    def arn(self) -> str:
        return str(self.description["ListenerArn"])


@dataclass(frozen=True, slots=True)
class LoadBalancer:
    """A load balancer with its listeners."""

    description: Description
    """The answer of DescribeLoadBalancers."""
    attributes: Attributes
    """The answer of DescribeLoadBalancerAttributes, by key."""
    listeners: tuple[Listener, ...] = ()
    addresses: tuple[str, ...] = ()
    """Addresses of its network interfaces in the VPC, in the order of AvailabilityZones."""
    machine_address: str = ""
    """An address on this machine, of 127.64.0.0/10, or empty."""
    machine_ports: Mapping[int, int] = field(default_factory=dict)
    """The ports of its listeners on this machine, where they are others."""

    @property
    def arn(self) -> str:
        return str(self.description["LoadBalancerArn"])

    def find_machine_port(self, port: int) -> int:
        """Return where a port is on this machine."""
        return self.machine_ports.get(port, port)

    @property
    def is_application(self) -> bool:
        return bool(self.description["Type"] == "application")


@dataclass(frozen=True, slots=True)
class View:
    """All load balancers of one VPC, and what they refer to."""

    account: str
    region: str
    vpc: str
    load_balancers: tuple[LoadBalancer, ...] = ()
    target_groups: Mapping[str, TargetGroup] = field(default_factory=dict)
    """Target groups by ARN to which these load balancers forward."""
    certificates: Mapping[str, Certificate] = field(default_factory=dict)
    """Certificates by ARN."""
    trust_stores: Mapping[str, TrustStore] = field(default_factory=dict)
    """Trust stores by ARN."""


@dataclass(frozen=True, slots=True)
class TargetHealth:
    """A target's health as health checks have found it."""

    state: str
    """One of `initial`, `healthy`, `unhealthy`, `unavailable` (no health checks)."""
    reason: str = ""
    """One of AWS's reason codes, such as Target.Timeout."""
    description: str = ""
