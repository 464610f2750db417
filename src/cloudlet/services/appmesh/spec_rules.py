"""Rules of specifications that the model does not say, for each kind of resources."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from cloudlet.services.appmesh import limits, route_rules
from cloudlet.services.appmesh.errors import BadRequest, LimitExcess
from cloudlet.services.appmesh.kinds import Spec

_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
_SERVICE_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CERTIFICATE: Final = re.compile(r"arn:[a-z-]+:acm:[a-z0-9-]+:[0-9]{12}:certificate/.+")
_UNIONS: Final = tuple(
    frozenset(members.split())
    for members in (
        "acm file sds",
        "awsCloudMap dns",
        "exact prefix range regex suffix",
        "grpc http http2 tcp",
        "json text",
        "virtualNode virtualRouter",
    )
)
"""The members of structures that take one member only."""


def check_name(kind: str, name: str) -> None:
    """Raise BadRequest for a name that a resource cannot have."""
    pattern = _SERVICE_NAME if kind == "VirtualService" else _NAME
    if pattern.fullmatch(name) is None:
        raise BadRequest(f"{kind} name {name} has characters that are not allowed.")


def check_token(token: str | None) -> None:
    """Raise BadRequest for what is no client token."""
    if token is not None and _TOKEN.fullmatch(token) is None:
        raise BadRequest("clientToken must have up to 64 letters, numbers, hyphens and underscores.")


def check_spec(kind: str, spec: Spec) -> None:
    """Raise BadRequest for a specification that makes no sense in itself."""
    _check_unions(spec, "spec")
    _CHECKS[kind](spec)


def _check_unions(value: Any, path: str) -> None:
    """Raise BadRequest for a structure with several members, of which it may have one only."""
    if isinstance(value, list):
        for each in value:
            _check_unions(each, path)
    elif isinstance(value, Mapping):
        if len(value) > 1 and any(value.keys() <= union for union in _UNIONS):
            raise BadRequest(f"{path} must have one of {', '.join(sorted(value))} only.")
        if value.get("secretName") == "":
            raise BadRequest(f"{path}.secretName must not be empty.")
        for name, each in value.items():
            _check_unions(each, f"{path}.{name}")


def check_listeners(listeners: Iterable[Mapping[str, Any]]) -> None:
    """Raise BadRequest for listeners on one port."""
    ports = [each["portMapping"]["port"] for each in listeners]
    if len(set(ports)) != len(ports):
        raise BadRequest("Listeners must have different ports.")


def _check_mesh(spec: Spec) -> None:
    """Check nothing: the model says it all."""


def _check_virtual_service(spec: Spec) -> None:
    if spec.get("provider") == {}:
        raise BadRequest("A provider must have one of virtualNode, virtualRouter.")


def _check_virtual_router(spec: Spec) -> None:
    check_listeners(spec.get("listeners") or ())


def _check_virtual_node(spec: Spec) -> None:
    listeners, backends = spec.get("listeners") or (), spec.get("backends") or ()
    check_listeners(listeners)
    if listeners and not spec.get("serviceDiscovery"):
        raise BadRequest("A VirtualNode with listeners must specify service discovery.")
    if len(backends) > limits.MAX_BACKENDS:
        raise LimitExcess(f"A VirtualNode can have {limits.MAX_BACKENDS} backends at most.")
    names = [each["virtualService"]["virtualServiceName"] for each in backends if "virtualService" in each]
    if len(names) != len(backends) or len(set(names)) != len(names):
        raise BadRequest("Each backend must name a virtual service of its own.")
    for listener in listeners:
        _check_listener(listener)
    for backend in backends:
        _check_client_policy(backend["virtualService"].get("clientPolicy"))
    _check_client_policy((spec.get("backendDefaults") or {}).get("clientPolicy"))
    _check_logging(spec)


def _check_virtual_gateway(spec: Spec) -> None:
    if not spec["listeners"]:
        raise BadRequest("A VirtualGateway must have a listener.")
    check_listeners(spec["listeners"])
    for listener in spec["listeners"]:
        _check_listener(listener)
    _check_client_policy((spec.get("backendDefaults") or {}).get("clientPolicy"))
    _check_logging(spec)


def _check_listener(listener: Mapping[str, Any]) -> None:
    port, protocol = listener["portMapping"]["port"], listener["portMapping"]["protocol"]
    for member in ("connectionPool", "timeout"):
        given = listener.get(member)
        if given is not None and list(given) != [protocol]:
            raise BadRequest(f"The {member} of a listener must be one of its protocol, {protocol}.")
    for duration in ((listener.get("timeout") or {}).get(protocol) or {}).values():
        route_rules.check_duration(duration, "timeout")
    outliers = listener.get("outlierDetection") or {}
    for member in ("interval", "baseEjectionDuration"):
        if member in outliers:
            route_rules.check_duration(outliers[member], f"outlierDetection.{member}", minimum=1)
    route_rules.check_count(outliers.get("maxServerErrors", 1), "outlierDetection.maxServerErrors")
    check = listener.get("healthCheck")
    if check is not None:
        if check.get("port", port) != port:
            raise BadRequest("The port of a health check must be the port of its listener.")
        if check["protocol"] in ("http", "http2") and not check.get("path"):
            raise BadRequest("A health check by HTTP must have a path.")
        route_rules.check_text(check.get("path") or "", "The path of a health check")
        if check["protocol"] == "grpc" and protocol not in ("grpc", "http2"):
            raise BadRequest(f"A health check by grpc cannot be used with the protocol {protocol} of its listener.")
    tls = listener.get("tls")
    if tls is not None:
        _check_one(tls["certificate"], "tls.certificate")
        _check_one((tls.get("validation") or {}).get("trust"), "tls.validation.trust")


def _check_client_policy(policy: Mapping[str, Any] | None) -> None:
    tls = (policy or {}).get("tls")
    if tls is not None:
        trust = tls["validation"]["trust"]
        _check_one(trust, "clientPolicy.tls.validation.trust")
        for arn in (trust.get("acm") or {}).get("certificateAuthorityArns") or ():
            if not _CERTIFICATE.fullmatch(arn):
                raise BadRequest(
                    f"{arn} is not the ARN of a certificate of ACM. Cloudlet has no AWS Private CA: "
                    "name a certificate, whose authority is then trusted."
                )
        _check_one(tls.get("certificate"), "clientPolicy.tls.certificate")


def _check_logging(spec: Spec) -> None:
    log = (spec.get("logging") or {}).get("accessLog")
    _check_one(log, "logging.accessLog")
    _check_one(((log or {}).get("file") or {}).get("format"), "logging.accessLog.file.format")


def _check_one(value: Mapping[str, Any] | None, what: str) -> None:
    """Raise BadRequest for a structure without a member, of which it must have one."""
    if value is not None and not value:
        raise BadRequest(f"{what} must have one member.")


_CHECKS: Final[Mapping[str, Callable[[Spec], None]]] = {
    "Mesh": _check_mesh,
    "VirtualService": _check_virtual_service,
    "VirtualNode": _check_virtual_node,
    "VirtualRouter": _check_virtual_router,
    "Route": route_rules.check_route,
    "VirtualGateway": _check_virtual_gateway,
    "GatewayRoute": route_rules.check_gateway_route,
}
