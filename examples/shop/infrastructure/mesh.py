"""The mesh: what services report to `orders` goes from Envoy to Envoy, which try again where it fails."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_appmesh as appmesh
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_logs as logs
from aws_cdk import aws_servicediscovery as discovery
from constructs import Construct
from shop import names

_IMAGE = "public.ecr.aws/appmesh/aws-appmesh-envoy:v1.29.12.1-prod"
_USER = 1337
_METADATA = ("169.254.170.2", "169.254.169.254")
_PROXY = ecs.AppMeshProxyConfiguration(
    container_name="envoy",
    properties=ecs.AppMeshProxyConfigurationProps(
        app_ports=[names.PORT],
        proxy_ingress_port=15000,
        proxy_egress_port=15001,
        ignored_uid=_USER,
        egress_ignored_i_ps=list(_METADATA),
    ),
)
_LINES = {"path": "%REQ(:PATH)%", "status": "%RESPONSE_CODE%", "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%"}
"""What Envoys log of each request."""


class Mesh(Construct):
    """`callers` are the services that call `orders`."""

    def __init__(
        self, scope: Construct, id: str, log: logs.ILogGroup, orders: discovery.IService, callers: Iterable[str]
    ) -> None:
        super().__init__(scope, id)
        self._log = log
        self._mesh = appmesh.Mesh(self, "Mesh", mesh_name=names.MESH)
        called = self._add_node(
            "orders",
            service_discovery=appmesh.ServiceDiscovery.cloud_map(orders),
            listeners=[appmesh.VirtualNodeListener.http(port=names.PORT)],
        )
        router = self._mesh.add_virtual_router(
            "Router", virtual_router_name="orders", listeners=[appmesh.VirtualRouterListener.http(names.PORT)]
        )
        retries = appmesh.HttpRetryPolicy(
            retry_attempts=3,
            retry_timeout=Duration.seconds(5),
            http_retry_events=[appmesh.HttpRetryEvent.SERVER_ERROR, appmesh.HttpRetryEvent.GATEWAY_ERROR],
            tcp_retry_events=[appmesh.TcpRetryEvent.CONNECTION_ERROR],
        )
        router.add_route(
            "Reports",
            route_name="reports",
            route_spec=appmesh.RouteSpec.http(
                weighted_targets=[appmesh.WeightedTarget(virtual_node=called)], retry_policy=retries
            ),
        )
        service = appmesh.VirtualService(
            self,
            "Orders",
            virtual_service_name=names.ORDERS_HOST,
            virtual_service_provider=appmesh.VirtualServiceProvider.virtual_router(router),
        )
        backend = appmesh.Backend.virtual_service(service)
        access_log = appmesh.AccessLog.from_file_path(
            "/dev/stdout", logging_format=appmesh.LoggingFormat.from_json(_LINES)
        )
        self._nodes = {"orders": called} | {
            name: self._add_node(name, backends=[backend], access_log=access_log) for name in callers
        }

    def _add_node(self, name: str, **more: Any) -> appmesh.VirtualNode:
        return self._mesh.add_virtual_node(f"{name}Node", virtual_node_name=name, **more)

    def proxy(self, service: str) -> ecs.ProxyConfiguration | None:
        """Return what leads the traffic of a service through its Envoy, None where it is not in the mesh."""
        return _PROXY if service in self._nodes else None

    def add_envoy(self, service: str, definition: ecs.TaskDefinition, program: ecs.ContainerDefinition) -> None:
        """Put an Envoy beside the program of a service in the mesh, which waits for it."""
        if service not in self._nodes:
            return
        envoy = definition.add_container(
            "envoy",
            image=ecs.ContainerImage.from_registry(_IMAGE),
            user=str(_USER),
            environment={"APPMESH_RESOURCE_ARN": self._nodes[service].virtual_node_arn, "ENVOY_LOG_LEVEL": "error"},
            health_check=ecs.HealthCheck(
                command=["CMD-SHELL", "curl -s http://localhost:9901/server_info | grep state | grep -q LIVE"],
                interval=Duration.seconds(5),
                # On a busy machine it takes that long until it has its configuration.
                start_period=Duration.minutes(2),
            ),
            logging=ecs.LogDrivers.aws_logs(stream_prefix=names.MESH_LOGS, log_group=self._log),
        )
        program.add_container_dependencies(
            ecs.ContainerDependency(container=envoy, condition=ecs.ContainerDependencyCondition.HEALTHY)
        )
