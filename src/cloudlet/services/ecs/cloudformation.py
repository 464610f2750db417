"""The resource types of Amazon ECS."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core.aws.resources.declaration import NAME, Call, Name, Properties, Ready, ResourceType, Source


def _get_family(properties: Properties) -> str:
    """Return the family, which has as many revisions as there are replacements."""
    return str(properties.get("Family") or properties.get(NAME) or "")


def _make_proxy(properties: Properties) -> dict[str, Any] | None:
    """Return the proxy configuration, of which templates have one member by another name."""
    given = properties.get("ProxyConfiguration")
    renamed = {"ProxyConfigurationProperties": "Properties"}
    return given and {renamed.get(name, name): value for name, value in given.items()}


def _list_task_set(properties: Properties) -> list[str]:
    return [properties["Id"]]


def _make_true(properties: Properties) -> bool:
    return True


def _make_empty(properties: Properties) -> list[Any]:
    return []


def _list_name(properties: Properties) -> list[str]:
    return [properties["Name"]]


def _get_cluster(properties: Properties) -> str:
    """Return the cluster of a capacity provider, among whose it is looked for."""
    return str(properties.get("ClusterName") or "default")


def make_provider_arn(properties: Properties) -> str:
    """Return the ARN of a capacity provider."""
    return "arn:{partition}:ecs:{region}:{account}:capacity-provider/{Name}".format_map(properties)


def _get_daemon_arn(properties: Properties) -> str:
    """Return the ARN of a daemon, also before it is made."""
    if "DaemonArn" in properties:
        return str(properties["DaemonArn"])
    cluster = str(properties.get("ClusterArn") or "default").rpartition("/")[2]
    return "arn:{partition}:ecs:{region}:{account}:daemon/{cluster}/{DaemonName}".format_map(
        {**properties, "cluster": cluster}
    )


def _get_count(properties: Properties) -> int | None:
    """Return the desired count; a daemon has none."""
    is_daemon = properties.get("SchedulingStrategy") == "DAEMON"
    return None if is_daemon else int(properties.get("DesiredCount", 1))


def _find_forced(properties: Properties) -> bool | None:
    """Return whether a new deployment is forced; another nonce makes the call another one."""
    return (properties.get("ForceNewDeployment") or {}).get("EnableForceNewDeployment")


_PROVIDERS: Final[dict[str, Source | None]] = {"cluster": "ClusterName"}
_NO_PROVIDERS: Final[dict[str, Any]] = {"capacityProviders": [], "defaultCapacityProviderStrategy": []}
_SETTINGS: Final[dict[str, Source | None]] = {"settings": "ClusterSettings"}
_DEFAULT_SETTINGS: Final[dict[str, Any]] = {
    "settings": [{"name": "containerInsights", "value": "disabled"}],
    "serviceConnectDefaults": {"namespace": ""},
}
_WITHOUT: Final[dict[str, Any]] = {
    "loadBalancers": [],
    "serviceRegistries": [],
    "placementConstraints": [],
    "placementStrategy": [],
    "serviceConnectConfiguration": {"enabled": False},
}
"""The members of an update for properties that a template does not have."""
_CLEARED: Final = ("Command", "Environment", "Secrets")


def _make_container(properties: Properties) -> dict[str, Any] | None:
    """Return the container of an Express service; what a template leaves out is empty."""
    container = properties.get("PrimaryContainer")
    return {**{name: [] for name in _CLEARED}, **container} if container else None


_PLACEMENT: Final[dict[str, Source | None]] = {"placementStrategy": "PlacementStrategies"}

_UNFILTERED: Final[dict[str, Source | None]] = {"createdAt": None, "status": None}
"""The filters of lists, which are not attributes of the same names."""
_DEPLOYED: Final = (
    Ready(
        "serviceDeployments.0.status",
        # Without one, there are task sets.
        ("SUCCESSFUL", None),
        ("STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"),
        "serviceDeployments.0.statusReason",
    ),
)
"""A service is ready once its newest deployment is."""

RESOURCE_TYPES: Final = (
    ResourceType(
        "AWS::ECS::Cluster",
        "ecs",
        create=Call("CreateCluster", _SETTINGS),
        exists=Call("ListContainerInstances", {"cluster": "ClusterName"}),
        updates=(
            Call("UpdateCluster", {"cluster": "ClusterName", **_SETTINGS}, _DEFAULT_SETTINGS),
            Call("PutClusterCapacityProviders", _PROVIDERS, _NO_PROVIDERS),
        ),
        delete=Call("DeleteCluster", {"cluster": "ClusterName"}),
        named=Name("ClusterName", 255),
        attributes={"Arn": "arn:{partition}:ecs:{region}:{account}:cluster/{ClusterName}"},
        tag=Call("TagResource", {"resourceArn": "Arn"}),
        untag=Call("UntagResource", {"resourceArn": "Arn"}),
    ),
    ResourceType(
        "AWS::ECS::ClusterCapacityProviderAssociations",
        "ecs",
        create=Call("PutClusterCapacityProviders", absent=_NO_PROVIDERS),
        updates=(Call("PutClusterCapacityProviders", absent=_NO_PROVIDERS),),
        delete=Call(
            "PutClusterCapacityProviders",
            {"capacityProviders": _make_empty, "defaultCapacityProviderStrategy": _make_empty},
        ),
    ),
    ResourceType(
        "AWS::ECS::CapacityProvider",
        "ecs",
        create=Call("CreateCapacityProvider", {"cluster": "ClusterName"}),
        exists=Call("DescribeCapacityProviders", {"capacityProviders": _list_name, "cluster": _get_cluster}),
        updates=(Call("UpdateCapacityProvider", {"cluster": "ClusterName"}),),
        delete=Call("DeleteCapacityProvider", {"capacityProvider": "Name", "cluster": "ClusterName"}),
        named=Name("Name", 255),
        tag=Call("TagResource", {"resourceArn": make_provider_arn}),
        untag=Call("UntagResource", {"resourceArn": make_provider_arn}),
        is_deleted_later=True,
    ),
    ResourceType(
        "AWS::ECS::DaemonTaskDefinition",
        "ecs",
        create=Call("RegisterDaemonTaskDefinition", {"family": _get_family}),
        delete=Call("DeleteDaemonTaskDefinition", {"daemonTaskDefinition": "DaemonTaskDefinitionArn"}),
        undeletable="is not in ACTIVE status",
        tag=Call("TagResource", {"resourceArn": "DaemonTaskDefinitionArn"}),
        untag=Call("UntagResource", {"resourceArn": "DaemonTaskDefinitionArn"}),
    ),
    ResourceType(
        "AWS::ECS::Daemon",
        "ecs",
        create=Call("CreateDaemon"),
        # It tells how the newest deployment has ended.
        read=Call("ListDaemonDeployments", _UNFILTERED),
        exists=Call("DescribeDaemon", {"daemonArn": _get_daemon_arn}),
        updates=(Call("UpdateDaemon"),),
        delete=Call("DeleteDaemon"),
        named=Name("DaemonName", 255),
        attributes={"DaemonStatus": "status"},
        ready=(
            Ready(
                "daemonDeployments.0.status",
                ("SUCCESSFUL",),
                ("STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"),
                "daemonDeployments.0.statusReason",
            ),
        ),
        tag=Call("TagResource", {"resourceArn": "DaemonArn"}),
        untag=Call("UntagResource", {"resourceArn": "DaemonArn"}),
        is_deleted_later=True,
        undeletable="The specified daemon is not ACTIVE.",
    ),
    ResourceType(
        "AWS::ECS::TaskDefinition",
        "ecs",
        create=Call("RegisterTaskDefinition", {"family": _get_family, "proxyConfiguration": _make_proxy}),
        delete=Call("DeregisterTaskDefinition", {"taskDefinition": "TaskDefinitionArn"}),
        attributes={"TaskDefinitionArn": "taskDefinition.taskDefinitionArn"},
        tag=Call("TagResource", {"resourceArn": "TaskDefinitionArn"}),
        untag=Call("UntagResource", {"resourceArn": "TaskDefinitionArn"}),
    ),
    ResourceType(
        "AWS::ECS::Service",
        "ecs",
        create=Call("CreateService", {"desiredCount": _get_count, **_PLACEMENT}),
        # It tells how the newest deployment has ended.
        read=Call("ListServiceDeployments", {"service": "ServiceArn"}),
        exists=Call("ListServiceDeployments", {"service": "ServiceName"}),
        updates=(
            Call(
                "UpdateService",
                {"service": "ServiceArn", "forceNewDeployment": _find_forced, **_PLACEMENT},
                _WITHOUT,
            ),
        ),
        delete=Call("DeleteService", {"service": "ServiceArn", "force": _make_true}),
        named=Name("ServiceName", 255),
        attributes={"ServiceArn": "service.serviceArn", "Name": "service.serviceName"},
        ref="ServiceArn",
        ready=_DEPLOYED,
        tag=Call("TagResource", {"resourceArn": "ServiceArn"}),
        untag=Call("UntagResource", {"resourceArn": "ServiceArn"}),
        # One that is given may be the same as none.
        unlisted=("DesiredCount",),
    ),
    ResourceType(
        "AWS::ECS::TaskSet",
        "ecs",
        create=Call("CreateTaskSet"),
        read=Call("DescribeTaskSets", {"taskSets": _list_task_set}),
        updates=(Call("UpdateTaskSet", {"taskSet": "Id"}, {"scale": {"value": 100, "unit": "PERCENT"}}),),
        delete=Call("DeleteTaskSet", {"taskSet": "Id", "force": _make_true}),
        attributes={"Id": "taskSet.id"},
        ref="Id",
    ),
    ResourceType(
        "AWS::ECS::PrimaryTaskSet",
        "ecs",
        create=Call("UpdateServicePrimaryTaskSet", {"primaryTaskSet": "TaskSetId"}),
        updates=(Call("UpdateServicePrimaryTaskSet", {"primaryTaskSet": "TaskSetId"}),),
    ),
    ResourceType(
        "AWS::ECS::ExpressGatewayService",
        "ecs",
        create=Call("CreateExpressGatewayService"),
        # It tells how the newest deployment has ended.
        read=Call("ListServiceDeployments", {"service": "ServiceArn", **_UNFILTERED}),
        exists=Call("ListServiceDeployments", {"service": "ServiceName", **_UNFILTERED}),
        lookups=(Call("DescribeExpressGatewayService"),),
        updates=(Call("UpdateExpressGatewayService", {"primaryContainer": _make_container}),),
        delete=Call("DeleteExpressGatewayService"),
        named=Name("ServiceName", 255),
        attributes={
            "ServiceArn": "service.serviceArn",
            "Endpoint": "service.activeConfigurations.0.ingressPaths.0.endpoint",
        },
        ref="ServiceArn",
        ready=_DEPLOYED,
    ),
    ResourceType(
        "AWS::ECS::Gateway",
        "ecs",
        create=Call("CreateGateway", {"name": "GatewayName"}),
        read=Call("DescribeGateway", {"gateway": "Arn"}),
        exists=Call("DescribeGateway", {"gateway": "GatewayName"}),
        updates=(Call("UpdateGateway", {"gateway": "Arn"}),),
        delete=Call("DeleteGateway", {"gateway": "Arn"}),
        named=Name("GatewayName", 255, is_alphanumeric=False),
        attributes={"Arn": "gatewayArn", "AccessType": "gateway.accessType"},
        ready=(Ready("gateway.status", ("ACTIVE", "UPDATE_COMPLETE"), ("UPDATE_FAILED",), "gateway.statusReason"),),
        tag=Call("TagResource", {"resourceArn": "Arn"}),
        untag=Call("UntagResource", {"resourceArn": "Arn"}),
    ),
    ResourceType(
        "AWS::ECS::GatewayClusterAssociations",
        "ecs",
        create=Call("AssociateGatewayWithCluster"),
        delete=Call("DisassociateGatewayFromCluster"),
        attributes={"GatewayArn": "gatewayArn", "ClusterArn": "clusterArn"},
    ),
)
