"""The way to read resources of Amazon ECS."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core.aws.resources.declaration import ITEM, Call, Properties, find_path
from cloudlet.core.aws.resources.reading_declaration import ANSWER, Listing, Read, Reading, read_tags


def _list_cluster(properties: Properties) -> list[Any]:
    return [properties.get("ClusterName") or properties.get("Cluster")]


def _list_included(properties: Properties) -> list[str]:
    return ["SETTINGS", "CONFIGURATIONS", "TAGS"]


def _list_service(properties: Properties) -> list[Any]:
    return [properties["ServiceArn"]]


def _list_task_set(properties: Properties) -> list[Any]:
    return [properties["Id"]]


def _find_active(properties: Properties, path: str) -> Any:
    """Return what an answer has at a path, unless it was deleted."""
    found = find_path(properties[ANSWER], path)
    return found if found and found.get("status") not in ("INACTIVE", "DELETE_IN_PROGRESS", "DRAINING") else None


def _find_cluster(properties: Properties) -> Any:
    return _find_active(properties, "clusters.0")


def _find_associations(properties: Properties) -> Any:
    cluster = _find_cluster(properties)
    return cluster if cluster and cluster.get("capacityProviders") else None


def _find_definition(properties: Properties) -> Any:
    found = _find_active(properties, "taskDefinition")
    proxy = (found or {}).get("proxyConfiguration")
    if not proxy:
        return found
    renamed = {name: value for name, value in proxy.items() if name != "properties"}
    return {**found, "proxyConfiguration": {**renamed, "proxyConfigurationProperties": proxy.get("properties")}}


def _find_service(properties: Properties) -> Any:
    return _find_active(properties, "services.0")


def _list_provider(properties: Properties) -> list[Any]:
    return [properties["Name"]]


def _find_express(properties: Properties) -> Any:
    found = find_path(properties[ANSWER], "service")
    return found if found and found["status"]["statusCode"] == "ACTIVE" else None


def _list_tags(properties: Properties) -> list[str]:
    return ["TAGS"]


def _get_provider_cluster(properties: Properties) -> str:
    return str(properties[ANSWER]["cluster"]).rpartition("/")[2]


def _find_provider(properties: Properties) -> Any:
    found = find_path(properties[ANSWER], "capacityProviders.0")
    return found if found and found["status"] == "ACTIVE" and "managedInstancesProvider" in found else None


def _get_manager(properties: Properties) -> str:
    return "ECS"


def _get_gateway_arn(properties: Properties) -> Any:
    return properties[ITEM]["gatewayArn"]


def _find_primary(properties: Properties) -> Any:
    sets = properties[ANSWER].get("taskSets") or ()
    return next((each for each in sets if each["status"] == "PRIMARY"), None)


def _get_item(properties: Properties) -> Any:
    return properties[ITEM]


def _get_cluster_name(properties: Properties) -> str:
    return str(properties[ITEM]).rpartition("/")[2]


_CLUSTERS: Final = Call("DescribeClusters", {"clusters": _list_cluster, "include": _list_included})

READINGS: Final = {
    "AWS::ECS::Cluster": Reading(
        Read(_CLUSTERS, {"ClusterSettings": "settings", "Arn": "clusterArn"}, root=_find_cluster),
        list=Listing(Call("ListClusters"), properties={"ClusterName": _get_cluster_name}),
    ),
    "AWS::ECS::ClusterCapacityProviderAssociations": Reading(Read(_CLUSTERS, root=_find_associations)),
    "AWS::ECS::CapacityProvider": Reading(
        Read(
            Call("DescribeCapacityProviders", {"capacityProviders": _list_provider, "include": _list_tags}),
            {"ClusterName": _get_provider_cluster},
            root=_find_provider,
        ),
        list=Listing(Call("DescribeCapacityProviders"), properties={"Name": "name"}),
    ),
    "AWS::ECS::Daemon": Reading(
        Read(Call("DescribeDaemon"), {"DaemonStatus": "status"}, root="daemon"),
        (read_tags("ListTagsForResource", "resourceArn", "DaemonArn", "tags"),),
        list=Listing(
            Call("ListDaemons"), properties={"DaemonArn": "daemonArn"}, owner=("AWS::ECS::Cluster", "ClusterArn")
        ),
    ),
    "AWS::ECS::DaemonTaskDefinition": Reading(
        Read(
            Call("DescribeDaemonTaskDefinition", {"daemonTaskDefinition": "DaemonTaskDefinitionArn"}),
            root="daemonTaskDefinition",
        ),
        (read_tags("ListTagsForResource", "resourceArn", "DaemonTaskDefinitionArn", "tags"),),
        list=Listing(Call("ListDaemonTaskDefinitions"), properties={"DaemonTaskDefinitionArn": "arn"}),
    ),
    "AWS::ECS::TaskDefinition": Reading(
        Read(Call("DescribeTaskDefinition", {"taskDefinition": "TaskDefinitionArn"}), root=_find_definition),
        (read_tags("ListTagsForResource", "resourceArn", "TaskDefinitionArn", "tags"),),
        list=Listing(Call("ListTaskDefinitions"), properties={"TaskDefinitionArn": _get_item}),
    ),
    "AWS::ECS::Service": Reading(
        Read(
            Call("DescribeServices", {"services": _list_service}),
            {"PlacementStrategies": "placementStrategy", "Name": "serviceName"},
            root=_find_service,
        ),
        (read_tags("ListTagsForResource", "resourceArn", "ServiceArn", "tags"),),
        list=Listing(
            Call("ListServices"), properties={"ServiceArn": _get_item}, owner=("AWS::ECS::Cluster", "Cluster")
        ),
    ),
    "AWS::ECS::TaskSet": Reading(Read(Call("DescribeTaskSets", {"taskSets": _list_task_set}), root="taskSets.0")),
    "AWS::ECS::PrimaryTaskSet": Reading(
        Read(Call("DescribeTaskSets"), {"TaskSetId": "id"}, root=_find_primary, is_exact=True)
    ),
    "AWS::ECS::ExpressGatewayService": Reading(
        Read(
            Call("DescribeExpressGatewayService", {"serviceArn": "ServiceArn", "include": _list_tags}),
            root=_find_express,
        ),
        list=Listing(
            Call("ListServices", {"resourceManagementType": _get_manager}),
            properties={"ServiceArn": _get_item},
            owner=("AWS::ECS::Cluster", "Cluster"),
        ),
    ),
    "AWS::ECS::Gateway": Reading(
        Read(Call("DescribeGateway", {"gateway": "Arn"}), {"GatewayName": "name", "Arn": "gatewayArn"}, root="gateway"),
        list=Listing(Call("ListGateways"), properties={"Arn": _get_gateway_arn}),
    ),
    "AWS::ECS::GatewayClusterAssociations": Reading(
        Read(Call("ListGatewayClusterAssociations"), root="gatewayClusterAssociations.0"),
    ),
}
