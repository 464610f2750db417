"""Service Connect: services of a namespace reach each other by names.

Developer guide, "Use Service Connect to connect Amazon ECS services with short names"; API reference,
ServiceConnectConfiguration.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from cloudlet.core import Context, Params, Transaction
from cloudlet.engines.envoy import program
from cloudlet.services.ecs import errors, namespaces, services, unsupported
from cloudlet.services.ecs.cluster_record import Cluster
from cloudlet.services.ecs.connect_record import AccessLog, Connect, ConnectEndpoint, ConnectPort, TaskConnect
from cloudlet.services.ecs.definition_record import Definition
from cloudlet.services.ecs.namespaces import Namespace
from cloudlet.services.ecs.service_record import ACTIVE, Service

_DISCOVERY_NAME: Final = re.compile(r"[a-z0-9_][a-z0-9_-]{0,63}", re.ASCII)
_DNS_NAME: Final = re.compile(r"[a-z0-9_.][a-z0-9_.-]{0,126}", re.ASCII)
_LOG_LEVEL: Final = "info"
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}", re.ASCII)


def _is_enabled(params: Params) -> bool:
    return bool((params.get("serviceConnectConfiguration") or {}).get("enabled"))


async def find_namespace(ctx: Context, params: Params, cluster: Cluster) -> Namespace | None:
    """Return the namespace of a request, or its cluster's, where it wants Service Connect. Raises AwsError."""
    if not _is_enabled(params):
        return None
    reference = params["serviceConnectConfiguration"].get("namespace") or cluster.namespace
    if not reference:
        raise errors.InvalidParameter(
            "A namespace must be specified for Service Connect, as the cluster has no default namespace."
        )
    return await namespaces.get(ctx, reference)


def complete(members: dict[str, Any], namespace: Namespace | None) -> None:
    """Write the ARN of the namespace into the members of a revision.

    Service Connect that is not enabled is the same as none.
    """
    if namespace is not None:
        configuration = members["serviceConnectConfiguration"]
        members["serviceConnectConfiguration"] = {**configuration, "namespace": namespace.arn}
    elif not _is_enabled(members):
        members.pop("serviceConnectConfiguration", None)


def make(params: Params, namespace: Namespace | None, definition: Definition) -> Connect | None:
    """Return the part of a service in a namespace, as a request wants it. Raises AwsError."""
    if namespace is None or not _is_enabled(params):
        return None
    configuration = params["serviceConnectConfiguration"]
    if definition.network_mode != "awsvpc":
        raise errors.NotBuilt(f"Service Connect with networkMode={definition.network_mode}")
    try:
        program.find()
    except program.EnvoyMissingError as error:
        raise errors.NotBuilt(f"Service Connect without its proxy: {error}") from None
    mappings = {
        each["name"]: each
        for container in definition.containers
        for each in container["portMappings"]
        if each.get("name")
    }
    ports = [_make_port(each, mappings, namespace) for each in configuration.get("services") or ()]
    if len({each.discovery_name for each in ports}) < len(ports):
        raise errors.InvalidParameter("The discovery names of a service must be unique.")
    _check_ingress(ports, definition)
    log = configuration.get("logConfiguration") or {}
    unsupported.check_log(log)
    levels = [each["logLevel"] for each in configuration.get("containerConfigurations") or () if each.get("logLevel")]
    if len(levels) > 1:
        raise errors.InvalidParameter("Each setting of containerConfigurations can appear only once.")
    level = levels[0] if levels else _LOG_LEVEL
    access_log = _make_access_log(configuration)
    return Connect(namespace.id, namespace.arn, namespace.title, namespace.name, ports, log, level, access_log)


def make_again(members: Params, known: Connect, definition: Definition) -> Connect | None:
    """Return the part of a service in its namespace by another definition. Raises AwsError."""
    namespace = Namespace(known.namespace_id, known.namespace_arn, known.namespace_title, known.namespace_name)
    return make(members, namespace, definition)


def _make_access_log(configuration: Mapping[str, Any]) -> AccessLog | None:
    given = configuration.get("accessLogConfiguration")
    if not given:
        return None
    if not configuration.get("logConfiguration"):
        raise errors.InvalidParameter("accessLogConfiguration requires a logConfiguration of Service Connect.")
    return AccessLog(given["format"], given.get("includeQueryParameters") == "ENABLED")


def _check_ingress(ports: Iterable[ConnectPort], definition: Definition) -> None:
    """Raise InvalidParameterException where a proxy would take what is for somebody else."""
    others = {each["containerPort"] for container in definition.containers for each in container["portMappings"]}
    entries: dict[int, int] = {}
    for port in ports:
        if entries.setdefault(port.ingress_port, port.container_port) != port.container_port:
            raise errors.InvalidParameter(f"The ingressPortOverride {port.ingress_port} is for several ports.")
        if port.ingress_override in others - {port.container_port}:
            raise errors.InvalidParameter(
                f"The ingressPortOverride {port.ingress_override} is a container port of the task definition."
            )


def _make_port(
    given: Mapping[str, Any], mappings: Mapping[str, Mapping[str, Any]], namespace: Namespace
) -> ConnectPort:
    if given.get("tls"):
        raise errors.NotBuilt("TLS of Service Connect (tls), whose certificates come from AWS Private CA")
    mapping = mappings.get(given["portName"])
    if mapping is None:
        raise errors.InvalidParameter(f"The task definition has no port mapping with the name {given['portName']}.")
    discovery = given.get("discoveryName") or given["portName"]
    if not _DISCOVERY_NAME.fullmatch(discovery):
        raise errors.InvalidParameter(f"The discoveryName {discovery} is not valid.")
    aliases = given.get("clientAliases") or []
    if len(aliases) > 1:
        raise errors.InvalidParameter("A service of Service Connect has at most one client alias.")
    alias = aliases[0] if aliases else {}
    name = alias.get("dnsName") or f"{discovery}.{namespace.title}"
    if not _DNS_NAME.fullmatch(name):
        raise errors.InvalidParameter(f"The dnsName {name} is not valid.")
    timeout, protocol = given.get("timeout") or {}, mapping.get("appProtocol") or ""
    if timeout.get("perRequestTimeoutSeconds") is not None and not protocol:
        raise errors.InvalidParameter("perRequestTimeoutSeconds can only be set for an appProtocol other than TCP.")
    header = (alias.get("testTrafficRules") or {}).get("header") or {}
    if header and not protocol:
        raise errors.InvalidParameter("testTrafficRules can only be set for an appProtocol other than TCP.")
    if header and not _HEADER.fullmatch(header["name"]):
        raise errors.InvalidParameter(f"The header {header['name']} of testTrafficRules is not valid.")
    return ConnectPort(
        discovery,
        mapping["containerPort"],
        protocol,
        name if alias else "",
        alias.get("port", 0),
        timeout.get("idleTimeoutSeconds"),
        timeout.get("perRequestTimeoutSeconds"),
        given.get("ingressPortOverride") or 0,
        (header.get("name") or "").lower(),
        (header.get("value") or {}).get("exact") or "",
    )


async def _list_others(tx: Transaction, service: Service, namespace: str) -> list[tuple[Service, ConnectPort]]:
    """Return the ports of all services of a namespace."""
    found = await services.list_services(tx, services.get_region_space(service.account, service.region))
    return [
        (each, port)
        for each in found
        if each.status == ACTIVE and each.revision is not None and each.revision.connect is not None
        if each.revision.connect.namespace_id == namespace
        for port in each.revision.connect.ports
    ]


async def check_names(tx: Transaction, service: Service, connect: Connect | None) -> None:
    """Raise InvalidParameterException for names that another service of the namespace has."""
    if connect is None:
        return
    others = [port for each, port in await _list_others(tx, service, connect.namespace_id) if each.key != service.key]
    taken = {port.discovery_name for port in others}
    endpoints = {(port.dns_name, port.port) for port in others if port.dns_name}
    for port in connect.ports:
        if port.discovery_name in taken:
            raise errors.InvalidParameter(f"The discoveryName {port.discovery_name} is used by another service.")
        if (port.dns_name, port.port) in endpoints:
            raise errors.InvalidParameter(f"The alias {port.dns_name}:{port.port} is used by another service.")


async def find_endpoints(tx: Transaction, service: Service, connect: Connect | None) -> TaskConnect | None:
    """Return what a new task of a service reaches in its namespace."""
    if connect is None:
        return None
    ports = [port for _, port in await _list_others(tx, service, connect.namespace_id) if port.dns_name]
    names = sorted({port.dns_name for port in ports})
    # They are in 127.255.0.0/16, as in tasks of AWS.
    addresses = {name: f"127.255.{number // 250}.{number % 250 + 1}" for number, name in enumerate(names)}
    endpoints = [ConnectEndpoint(addresses[port.dns_name], port) for port in ports]
    endpoints.sort(key=lambda each: (each.address, each.port.port))
    return TaskConnect(
        connect.namespace_name, endpoints, connect.log, connect.log_level, connect.access_log, connect.ports
    )
