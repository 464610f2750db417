"""Clusters, their capacity providers and container instances, and account settings."""

from __future__ import annotations

from typing import Any

from cloudlet.testing.server import Aws
from tests.refused import code_of, refused


def test_a_cluster_is_shown_as_it_was_created(aws: Aws, ecs: Any) -> None:
    made = ecs.create_cluster(
        clusterName="shop",
        settings=[{"name": "containerInsights", "value": "enabled"}],
        capacityProviders=["FARGATE", "FARGATE_SPOT"],
        defaultCapacityProviderStrategy=[{"capacityProvider": "FARGATE", "weight": 1, "base": 1}],
        tags=[{"key": "team", "value": "shop"}],
    )["cluster"]
    assert made["clusterArn"] == f"arn:aws:ecs:us-east-1:{aws.account}:cluster/shop"
    assert (made["status"], made["runningTasksCount"], made["activeServicesCount"]) == ("ACTIVE", 0, 0)
    assert made["capacityProviders"] == ["FARGATE", "FARGATE_SPOT"]
    included = ["SETTINGS", "CONFIGURATIONS", "TAGS"]
    assert ecs.describe_clusters(clusters=["shop"], include=included)["clusters"] == [made]
    bare = ecs.describe_clusters(clusters=[made["clusterArn"]])["clusters"][0]
    assert (bare["settings"], bare["tags"]) == ([], [])


def test_one_is_made_once(ecs: Any) -> None:
    first = ecs.create_cluster()["cluster"]
    assert first["clusterName"] == "default"
    assert ecs.create_cluster()["cluster"] == first
    assert ecs.list_clusters()["clusterArns"] == [first["clusterArn"]]


def test_one_that_is_deleted_is_inactive(ecs: Any) -> None:
    ecs.create_cluster(clusterName="shop")
    assert ecs.delete_cluster(cluster="shop")["cluster"]["status"] == "INACTIVE"
    assert ecs.describe_clusters(clusters=["shop"])["clusters"][0]["status"] == "INACTIVE"
    assert ecs.list_clusters()["clusterArns"] == []
    assert refused(ecs.delete_cluster, cluster="shop") == ("ClusterNotFoundException", "Cluster not found.")
    assert ecs.create_cluster(clusterName="shop")["cluster"]["status"] == "ACTIVE"


def test_one_that_is_missing_is_told_of(aws: Aws, ecs: Any) -> None:
    arn = f"arn:aws:ecs:us-east-1:{aws.account}:cluster/none"
    assert ecs.describe_clusters(clusters=["none"])["failures"] == [{"arn": arn, "reason": "MISSING"}]


def test_statistics_tell_of_launch_types(ecs: Any) -> None:
    ecs.create_cluster()
    statistics = ecs.describe_clusters(include=["STATISTICS"])["clusters"][0]["statistics"]
    assert {"name": "runningFargateTasksCount", "value": "0"} in statistics
    assert len(statistics) == 8


def test_settings_and_capacity_providers_change(ecs: Any) -> None:
    ecs.create_cluster()
    settings = [{"name": "containerInsights", "value": "enhanced"}]
    assert ecs.update_cluster_settings(cluster="default", settings=settings)["cluster"]["settings"] == settings
    strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 4, "base": 0}]
    changed = ecs.put_cluster_capacity_providers(
        cluster="default", capacityProviders=["FARGATE_SPOT"], defaultCapacityProviderStrategy=strategy
    )["cluster"]
    assert (changed["capacityProviders"], changed["defaultCapacityProviderStrategy"]) == (["FARGATE_SPOT"], strategy)
    code, message = refused(
        ecs.put_cluster_capacity_providers,
        cluster="default",
        capacityProviders=["mine"],
        defaultCapacityProviderStrategy=[],
    )
    assert (code, "'mine' was not found" in message) == ("InvalidParameterException", True)
    two = [{"capacityProvider": name, "base": 1, "weight": 1} for name in ("FARGATE", "FARGATE_SPOT")]
    assert code_of(
        ecs.put_cluster_capacity_providers,
        cluster="default",
        capacityProviders=["FARGATE", "FARGATE_SPOT"],
        defaultCapacityProviderStrategy=two,
    ) == "InvalidParameterException"  # fmt: skip


def test_fargate_has_two_capacity_providers(ecs: Any) -> None:
    answer = ecs.describe_capacity_providers(capacityProviders=["FARGATE", "FARGATE_SPOT", "mine"])
    assert [each["name"] for each in answer["capacityProviders"]] == ["FARGATE", "FARGATE_SPOT"]
    assert answer["failures"][0]["reason"] == "MISSING"
    group = {"autoScalingGroupArn": "arn:aws:autoscaling:us-east-1:1:autoScalingGroup:a:autoScalingGroupName/b"}
    assert refused(ecs.create_capacity_provider, name="mine", autoScalingGroupProvider=group) == (
        "ClientException",
        "Cloudlet does not have Auto Scaling groups (autoScalingGroupProvider). See docs/services/ecs.md.",
    )


def test_one_has_a_default_namespace(aws: Aws, ecs: Any) -> None:
    made = ecs.create_cluster(serviceConnectDefaults={"namespace": "shop"})["cluster"]
    (found,) = aws.client("servicediscovery").list_namespaces()["Namespaces"]
    assert (found["Name"], found["Type"]) == ("shop", "HTTP")
    assert made["serviceConnectDefaults"] == {"namespace": found["Arn"]}
    again = ecs.update_cluster(cluster="default", serviceConnectDefaults={"namespace": found["Arn"]})["cluster"]
    assert again["serviceConnectDefaults"] == {"namespace": found["Arn"]}
    without = ecs.update_cluster(cluster="default", serviceConnectDefaults={"namespace": ""})["cluster"]
    assert "serviceConnectDefaults" not in without
    assert refused(ecs.list_services_by_namespace, namespace="none") == (
        "NamespaceNotFoundException",
        "The specified namespace was not found.",
    )


def test_this_machine_is_the_container_instance(ecs: Any) -> None:
    ecs.create_cluster()
    (arn,) = ecs.list_container_instances()["containerInstanceArns"]
    (found,) = ecs.describe_container_instances(containerInstances=[arn])["containerInstances"]
    resources = {each["name"]: each["integerValue"] for each in found["registeredResources"]}
    assert (found["status"], resources["CPU"] >= 1024, resources["MEMORY"] > 256) == ("ACTIVE", True, True)
    attribute = {"name": "stack", "value": "production", "targetId": arn}
    ecs.put_attributes(attributes=[attribute])
    listed = ecs.list_attributes(targetType="container-instance", attributeName="stack")["attributes"]
    assert listed == [attribute]
    ecs.delete_attributes(attributes=[{"name": "stack", "targetId": arn}])
    assert ecs.list_attributes(targetType="container-instance", attributeName="stack")["attributes"] == []
    assert code_of(ecs.put_attributes, attributes=[{"name": "a", "targetId": "none"}]) == "TargetNotFoundException"
    missing = ecs.describe_container_instances(containerInstances=["none"])["failures"]
    assert missing == [{"arn": "none", "reason": "MISSING"}]


def test_account_settings_hold_for_new_clusters(aws: Aws, ecs: Any) -> None:
    root = f"arn:aws:iam::{aws.account}:root"
    assert ecs.list_account_settings()["settings"] == []
    put = ecs.put_account_setting_default(name="containerInsights", value="enabled")["setting"]
    assert put == {"name": "containerInsights", "value": "enabled", "principalArn": root, "type": "user"}
    assert ecs.create_cluster()["cluster"]["settings"] == [{"name": "containerInsights", "value": "enabled"}]
    effective = ecs.list_account_settings(effectiveSettings=True)["settings"]
    assert {each["name"]: each["value"] for each in effective}["taskLongArnFormat"] == "enabled"
    assert ecs.list_account_settings()["settings"] == [put]
    ecs.delete_account_setting(name="containerInsights")
    assert ecs.list_account_settings()["settings"] == []
    assert code_of(ecs.put_account_setting, name="containerInsights", value="x") == "InvalidParameterException"
    assert code_of(ecs.put_account_setting, name="awsvpcTrunking", value="enabled") == "ClientException"


def test_tags_are_kept(ecs: Any) -> None:
    arn = ecs.create_cluster(tags=[{"key": "a", "value": "1"}])["cluster"]["clusterArn"]
    ecs.tag_resource(resourceArn=arn, tags=[{"key": "b", "value": "2"}])
    ecs.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert ecs.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "b", "value": "2"}]
    assert code_of(ecs.tag_resource, resourceArn=arn, tags=[{"key": "aws:x", "value": ""}]) == (
        "InvalidParameterException"
    )
    assert code_of(ecs.list_tags_for_resource, resourceArn=arn.replace("default", "none")) == "ClusterNotFoundException"
