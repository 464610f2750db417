"""The proxy configuration of a task definition, which leads traffic through a container.

API reference, ProxyConfiguration; App Mesh user guide, "Proxy configuration".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network
from typing import Any, Final

from cloudlet.services.ecs import errors

_IDS: Final = ("IgnoredUID", "IgnoredGID")
_NEEDED: Final = ("AppPorts", "ProxyIngressPort", "ProxyEgressPort")
_OTHERS: Final = ("EgressIgnoredPorts", "EgressIgnoredIPs")
_PORTS: Final = range(1, 65_536)


def read_properties(configuration: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the values of each property, of which some are lists."""
    return {
        each["name"]: [value.strip() for value in (each.get("value") or "").split(",") if value.strip()]
        for each in configuration.get("properties") or ()
        if each.get("name")
    }


def check(configuration: Mapping[str, Any] | None, containers: Iterable[Mapping[str, Any]], mode: str) -> None:
    """Raise ClientException unless a proxy configuration makes sense."""
    if configuration is None:
        return
    if mode != "awsvpc":
        raise errors.ClientError("The proxy configuration requires that networkMode is awsvpc.")
    if configuration["containerName"] not in {each["name"] for each in containers}:
        raise errors.ClientError(f"The proxy container {configuration['containerName']} does not exist.")
    properties = read_properties(configuration)
    for name in properties.keys() - {*_IDS, *_NEEDED, *_OTHERS}:
        raise errors.ClientError(f"Unknown property of the proxy configuration: {name}.")
    if not any(properties.get(name) for name in _IDS):
        raise errors.ClientError("The proxy configuration must have the property IgnoredUID or IgnoredGID.")
    for name in _NEEDED:
        if not properties.get(name):
            raise errors.ClientError(f"The proxy configuration must have the property {name}.")
    for name, values in properties.items():
        if not all(_is_valid(name, value) for value in values):
            raise errors.ClientError(f"The value of the proxy configuration's property {name} is not valid.")
    for name in (*_IDS, "ProxyIngressPort", "ProxyEgressPort"):
        if len(properties.get(name, ())) > 1:
            raise errors.ClientError(f"The proxy configuration's property {name} has one value.")


def _is_valid(name: str, value: str) -> bool:
    if name == "EgressIgnoredIPs":
        try:
            IPv4Network(value, strict=False)
        except ValueError:
            return False
        return True
    if not value.isdecimal() or len(value) > 10:
        return False
    return name in _IDS or int(value) in _PORTS
