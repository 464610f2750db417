"""The configurations of health checks, by their types (API Reference, HealthCheckConfig)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cloudlet.services.route53 import limits
from cloudlet.services.route53.errors import InvalidInput
from cloudlet.services.route53.health_checks import ALARM, CALCULATED

_PORTS: Final = {"HTTP": 80, "HTTP_STR_MATCH": 80, "HTTPS": 443, "HTTPS_STR_MATCH": 443}
_OF_ENDPOINTS: Final = (
    "IPAddress",
    "Port",
    "FullyQualifiedDomainName",
    "RequestInterval",
    "FailureThreshold",
    "MeasureLatency",
    "Regions",
    "EndpointType",
)
_OF_PATHS: Final = ("ResourcePath",)
_OF_TYPES: Final = {
    "HTTP": (*_OF_ENDPOINTS, *_OF_PATHS),
    "HTTP_STR_MATCH": (*_OF_ENDPOINTS, *_OF_PATHS, "SearchString"),
    "HTTPS": (*_OF_ENDPOINTS, *_OF_PATHS, "EnableSNI"),
    "HTTPS_STR_MATCH": (*_OF_ENDPOINTS, *_OF_PATHS, "SearchString", "EnableSNI"),
    "TCP": _OF_ENDPOINTS,
    CALCULATED: ("HealthThreshold", "ChildHealthChecks"),
    ALARM: ("AlarmIdentifier", "InsufficientDataHealthStatus"),
}
_OF_ALL: Final = ("Type", "Inverted", "Disabled")
_DEFAULT_INTERVAL: Final = 30
_DEFAULT_THRESHOLD: Final = 3
_RESET: Final[dict[str, Any]] = {
    "FullyQualifiedDomainName": None,
    "Regions": None,
    "ResourcePath": None,
    "ChildHealthChecks": [],
}


def complete(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a HealthCheckConfig with what it has where it is not told. Raises InvalidInput."""
    kind = given["Type"]
    allowed = _OF_TYPES.get(kind)
    if allowed is None:
        raise InvalidInput(f"Cloudlet has no health checks of type {kind}. See docs/services/route53.md.")
    config = {name: value for name, value in given.items() if value is not None}
    for name in config:
        if name not in allowed and name not in _OF_ALL:
            raise InvalidInput(f"Invalid parameter : {name} may not be specified for a health check of type {kind}.")
    config.setdefault("Inverted", False)
    config.setdefault("Disabled", False)
    if kind == CALCULATED:
        return _complete_calculated(config)
    if kind == ALARM:
        if not config.get("AlarmIdentifier") or not config.get("InsufficientDataHealthStatus"):
            raise InvalidInput(
                f"Invalid parameter : AlarmIdentifier and InsufficientDataHealthStatus are required for {kind}."
            )
        return config
    return _complete_endpoint(kind, config)


def _complete_calculated(config: dict[str, Any]) -> dict[str, Any]:
    children = config.setdefault("ChildHealthChecks", [])
    if len(children) > limits.MAX_CHILD_HEALTH_CHECKS:
        raise InvalidInput(f"A health check monitors at most {limits.MAX_CHILD_HEALTH_CHECKS} others.")
    config.setdefault("HealthThreshold", len(children))
    return config


def _complete_endpoint(kind: str, config: dict[str, Any]) -> dict[str, Any]:
    address, name = config.get("IPAddress"), config.get("FullyQualifiedDomainName")
    if not address and not name:
        raise InvalidInput("Invalid parameter : IPAddress or FullyQualifiedDomainName is required.")
    for member in ("FullyQualifiedDomainName", "ResourcePath"):
        if not all("!" <= character <= "~" for character in config.get(member) or ""):
            raise InvalidInput(f"Invalid parameter : {member} must have visible ASCII characters alone.")
    if kind == "TCP" and not config.get("Port"):
        raise InvalidInput("Invalid parameter : Port is required for a health check of type TCP.")
    if kind in ("HTTP_STR_MATCH", "HTTPS_STR_MATCH") and not config.get("SearchString"):
        raise InvalidInput(f"Invalid parameter : SearchString is required for a health check of type {kind}.")
    if config.get("MeasureLatency"):
        raise InvalidInput("Cloudlet does not measure latencies in health checks. See docs/services/route53.md.")
    if config.get("EndpointType") == "PRIVATE":
        raise InvalidInput("Cloudlet has no health check sources for private endpoints. See docs/services/route53.md.")
    if kind in _PORTS:
        config.setdefault("Port", _PORTS[kind])
    if kind in ("HTTPS", "HTTPS_STR_MATCH"):
        config.setdefault("EnableSNI", True)
    if config.setdefault("RequestInterval", _DEFAULT_INTERVAL) not in (10, 30):
        raise InvalidInput("Invalid parameter : RequestInterval must be 10 or 30.")
    config.setdefault("FailureThreshold", _DEFAULT_THRESHOLD)
    config.setdefault("MeasureLatency", False)
    return config


def change(config: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """Return a HealthCheckConfig as an UpdateHealthCheck has it. Raises InvalidInput."""
    changed = dict(config)
    for name in params.get("ResetElements") or ():
        changed[name] = _RESET[name]
    members = {*_OF_TYPES[config["Type"]], *_OF_ALL, "HealthCheckSourceId"} | set(_OF_ENDPOINTS)
    members |= {"ResourcePath", "SearchString", "EnableSNI", "HealthThreshold", "ChildHealthChecks"}
    members |= {"AlarmIdentifier", "InsufficientDataHealthStatus"}
    changed |= {name: params[name] for name in members if params.get(name) is not None}
    return complete(changed)
