"""The needs of an Envoy beside its mesh: addresses of virtual nodes, and certificates."""

from __future__ import annotations

from collections.abc import Iterator

from cloudlet.services.appmesh.kinds import Spec, get_route
from cloudlet.services.appmesh.proxy.node_id import VIRTUAL_GATEWAY, EnvoyNode
from cloudlet.services.appmesh.proxy.view import MeshView


def _list_services(view: MeshView, node: EnvoyNode) -> Iterator[str]:
    if node.kind == VIRTUAL_GATEWAY:
        for spec in view.gateway_routes.get(node.name, ()):
            yield get_route(spec)[1]["action"]["target"]["virtualService"]["virtualServiceName"]
    else:
        for backend in view.nodes[node.name].get("backends") or ():
            yield backend["virtualService"]["virtualServiceName"]


def list_called_nodes(view: MeshView, node: EnvoyNode) -> set[str]:
    """Return the names of the virtual nodes that an Envoy's requests may go to."""
    found = set()
    for service in _list_services(view, node):
        match (view.services.get(service) or {}).get("provider"):
            case {"virtualNode": {"virtualNodeName": name}}:
                found.add(name)
            case {"virtualRouter": {"virtualRouterName": name}}:
                for spec in view.routes.get(name, ()):
                    found.update(each["virtualNode"] for each in get_route(spec)[1]["action"]["weightedTargets"])
    return found & view.nodes.keys()


def _list_certificates(spec: Spec) -> Iterator[str]:
    for listener in spec.get("listeners") or ():
        arn = ((listener.get("tls") or {}).get("certificate") or {}).get("acm", {}).get("certificateArn")
        if arn is not None:
            yield arn


def list_own_certificates(view: MeshView, node: EnvoyNode) -> set[str]:
    """Return the ARNs of the certificates that an Envoy serves."""
    return set(_list_certificates((view.gateways if node.kind == VIRTUAL_GATEWAY else view.nodes)[node.name]))


def list_trusts(spec: Spec) -> set[tuple[str, ...]]:
    """Return the ARNs of certificates, together as policies have them, whose authorities an Envoy trusts."""
    policies = [(spec.get("backendDefaults") or {}).get("clientPolicy")]
    policies += [backend["virtualService"].get("clientPolicy") for backend in spec.get("backends") or ()]
    found = set()
    for policy in policies:
        match policy:
            case {"tls": {"validation": {"trust": {"acm": {"certificateAuthorityArns": arns}}}}}:
                found.add(tuple(arns))
    return found
