"""Resource record sets as they are stored."""

from __future__ import annotations

import msgspec


class Alias(msgspec.Struct, frozen=True):
    zone: str
    """The id of the target's hosted zone, which may be one of AWS's own."""
    name: str
    evaluates_health: bool


class GeoLocation(msgspec.Struct, frozen=True):
    continent: str = ""
    country: str = ""
    """`*` is everywhere."""
    subdivision: str = ""


class Proximity(msgspec.Struct, frozen=True):
    latitude: float
    longitude: float
    bias: int = 0
    region: str = ""
    """The AWS Region that was given, whose coordinates these are."""
    text: tuple[str, str] = ("", "")
    """The coordinates as they were given."""


class RecordSet(msgspec.Struct, frozen=True):
    """A resource record set: one policy's record among those of its name and type."""

    name: str
    """The domain name, as Route 53 shows it."""
    type: str
    identifier: str = ""
    ttl: int = 0
    values: tuple[str, ...] = ()
    alias: Alias | None = None
    health_check: str = ""
    weight: int | None = None
    region: str = ""
    failover: str = ""
    location: GeoLocation | None = None
    is_multivalue: bool = False
    cidr: tuple[str, str] | None = None
    """A CIDR collection and a location in it."""
    proximity: Proximity | None = None
    traffic_policy_instance: str = ""

    @property
    def policy(self) -> str:
        """The routing policy, by the name of its member; "" for a simple record."""
        if self.weight is not None:
            return "Weight"
        if self.region:
            return "Region"
        if self.failover:
            return "Failover"
        if self.location is not None:
            return "GeoLocation"
        if self.is_multivalue:
            return "MultiValueAnswer"
        if self.cidr is not None:
            return "CidrRoutingConfig"
        return "" if self.proximity is None else "GeoProximityLocation"
