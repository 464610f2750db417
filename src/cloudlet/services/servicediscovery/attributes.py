"""The attributes of instances: which a service needs, and which values they have (RegisterInstance)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from cloudlet.services.servicediscovery import limits
from cloudlet.services.servicediscovery.errors import InvalidInput
from cloudlet.services.servicediscovery.map_record import DiscoveryService

ALIAS, CNAME, IPV4, IPV6, PORT = (
    "AWS_ALIAS_DNS_NAME",
    "AWS_INSTANCE_CNAME",
    "AWS_INSTANCE_IPV4",
    "AWS_INSTANCE_IPV6",
    "AWS_INSTANCE_PORT",
)
INITIAL_HEALTH: Final = "AWS_INIT_HEALTH_STATUS"
HEALTHY, UNHEALTHY = "HEALTHY", "UNHEALTHY"
_EC2_INSTANCE: Final = "AWS_EC2_INSTANCE_ID"
_OF_ENDPOINTS: Final = (CNAME, IPV4, IPV6, PORT)
_NEEDED: Final = {"A": IPV4, "AAAA": IPV6, "CNAME": CNAME, "SRV": PORT}
_NAME: Final = re.compile(r"(?=.{1,253}\.?$)(?:[A-Za-z0-9_*](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.?)+")


def validate_attributes(found: DiscoveryService, given: Mapping[str, str]) -> None:
    """Raise InvalidInput unless a service may have an instance with such attributes."""
    if len(given) > limits.MAX_ATTRIBUTES:
        raise InvalidInput(f"An instance has at most {limits.MAX_ATTRIBUTES} attributes.")
    if sum(len(key) + len(value) for key, value in given.items()) > limits.MAX_ATTRIBUTES_CHARACTERS:
        raise InvalidInput(f"The attributes of an instance have at most {limits.MAX_ATTRIBUTES_CHARACTERS} characters.")
    if _EC2_INSTANCE in given:
        raise InvalidInput("Cloudlet has no EC2 instances: AWS_EC2_INSTANCE_ID cannot be specified.")
    _check_values(given)
    if given.get(INITIAL_HEALTH) and not found.has_custom_health:
        raise InvalidInput(f"{INITIAL_HEALTH} can be specified only for a service with HealthCheckCustomConfig.")
    types = {record.type for record in found.records}
    if ALIAS in given:
        if any(name in given for name in _OF_ENDPOINTS):
            raise InvalidInput(f"{ALIAS} cannot be specified together with AWS_INSTANCE attributes.")
        if not types & {"A", "AAAA"} or found.policy != "WEIGHTED":
            raise InvalidInput(f"{ALIAS} requires a service with an A or AAAA record and the WEIGHTED routing policy.")
        return
    for kind in sorted(types):
        if _NEEDED[kind] not in given:
            raise InvalidInput(f"The attribute {_NEEDED[kind]} is required for a service with a record of type {kind}.")
    if "SRV" in types and IPV4 not in given and IPV6 not in given:
        raise InvalidInput(f"A service with an SRV record requires {IPV4}, {IPV6}, or both.")
    if found.health_check is not None and not any(name in given for name in (IPV4, IPV6, CNAME)):
        raise InvalidInput(f"A service with a health check requires {IPV4}, {IPV6} or {CNAME}.")


def _check_values(given: Mapping[str, str]) -> None:
    for name, parse in ((IPV4, IPv4Address), (IPV6, IPv6Address)):
        if name in given:
            try:
                parse(given[name])
            except ValueError:
                raise InvalidInput(f"The value {given[name]} of {name} is not a valid address.") from None
    port = given.get(PORT)
    if port is not None and not (port.isascii() and port.isdecimal() and 0 < int(port) <= 65_535):
        raise InvalidInput(f"The value {port} of {PORT} is not a valid port.")
    for name in (CNAME, ALIAS):
        if name in given and _NAME.fullmatch(given[name]) is None:
            raise InvalidInput(f"The value {given[name]} of {name} is not a valid domain name.")
    health = given.get(INITIAL_HEALTH)
    if health is not None and health not in (HEALTHY, UNHEALTHY):
        raise InvalidInput(f"The value {health} of {INITIAL_HEALTH} is neither {HEALTHY} nor {UNHEALTHY}.")
