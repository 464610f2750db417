"""App Mesh of an account, and what tests do with it again and again."""

from __future__ import annotations

from typing import Any

from cloudlet.testing.server import Aws


def listen(port: int, protocol: str = "http", **more: Any) -> dict[str, Any]:
    """Return a listener."""
    return {"portMapping": {"port": port, "protocol": protocol}, **more}


def route_to(*nodes: str, match: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Return what a route of HTTP says that leads to nodes with equal weights."""
    targets = [{"virtualNode": node, "weight": 1} for node in nodes]
    return {"match": match or {"prefix": "/"}, "action": {"weightedTargets": targets}, **more}


def go_to(service: str, **match: Any) -> dict[str, Any]:
    """Return what a gateway route of HTTP says that leads to a virtual service."""
    target = {"virtualService": {"virtualServiceName": service}}
    return {"match": match or {"prefix": "/"}, "action": {"target": target}}


class MeshCloud:
    """Clients of one account, with one mesh."""

    def __init__(self, aws: Aws, mesh: str = "m") -> None:
        self.aws = aws
        self.account = aws.account
        self.api: Any = aws.client("appmesh")
        self.mesh = mesh
        self.api.create_mesh(meshName=mesh)

    def create_node(
        self, name: str = "n", *listeners: dict[str, Any], host: str = "localhost", **spec: Any
    ) -> dict[str, Any]:
        """Create a virtual node; return it."""
        if listeners:
            spec.setdefault("serviceDiscovery", {"dns": {"hostname": host}})
        made: dict[str, Any] = self.api.create_virtual_node(
            meshName=self.mesh, virtualNodeName=name, spec={"listeners": list(listeners), **spec}
        )["virtualNode"]
        return made

    def update_node(self, name: str, **change: Any) -> None:
        """Change members of a virtual node's specification."""
        spec = self.api.describe_virtual_node(meshName=self.mesh, virtualNodeName=name)["virtualNode"]["spec"]
        self.api.update_virtual_node(meshName=self.mesh, virtualNodeName=name, spec={**spec, **change})

    def create_router(self, name: str = "r", *listeners: dict[str, Any]) -> None:
        """Create a virtual router."""
        self.api.create_virtual_router(
            meshName=self.mesh, virtualRouterName=name, spec={"listeners": list(listeners or (listen(8080),))}
        )

    def create_service(self, name: str, node: str = "", router: str = "") -> None:
        """Create a virtual service that a node or router provides."""
        provider: dict[str, Any] = {}
        if node:
            provider = {"provider": {"virtualNode": {"virtualNodeName": node}}}
        if router:
            provider = {"provider": {"virtualRouter": {"virtualRouterName": router}}}
        self.api.create_virtual_service(meshName=self.mesh, virtualServiceName=name, spec=provider)

    def create_route(self, name: str = "x", router: str = "r", **spec: Any) -> None:
        """Create a route."""
        self.api.create_route(meshName=self.mesh, virtualRouterName=router, routeName=name, spec=spec)

    def update_route(self, name: str = "x", router: str = "r", **spec: Any) -> None:
        """Replace a route."""
        self.api.update_route(meshName=self.mesh, virtualRouterName=router, routeName=name, spec=spec)

    def create_gateway(self, name: str = "g", *listeners: dict[str, Any], **spec: Any) -> None:
        """Create a virtual gateway."""
        self.api.create_virtual_gateway(
            meshName=self.mesh,
            virtualGatewayName=name,
            spec={"listeners": list(listeners or (listen(8080),)), **spec},
        )

    def create_gateway_route(self, name: str = "x", gateway: str = "g", **spec: Any) -> None:
        """Create a gateway route."""
        self.api.create_gateway_route(meshName=self.mesh, virtualGatewayName=gateway, gatewayRouteName=name, spec=spec)
