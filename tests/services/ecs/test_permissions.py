"""Permissions of users on clusters, services and task definitions, where they are enforced."""

from __future__ import annotations

from typing import Any

import pytest

from tests.refused import refused
from tests.strict_accounts import Account, allow, deny, is_denied

WEB = {"name": "web", "image": "nginx", "memory": 64}
SHARED: dict[str, Any] = {"hostSharedAlb": {}}


@pytest.fixture
def root(strict_account: Account) -> Any:
    """ECS for the root user, with a cluster, two task definitions and two services without tasks."""
    ecs = strict_account.client("ecs")
    ecs.create_cluster(clusterName="shop")
    for name in ("web", "worker"):
        ecs.register_task_definition(family=name, containerDefinitions=[WEB])
        ecs.create_service(cluster="shop", serviceName=name, taskDefinition=name, desiredCount=0)
    return ecs


def test_a_user_whom_no_policy_allows_is_refused(strict_account: Account, root: Any) -> None:
    user = strict_account.user()
    arn = strict_account.arn_of("ecs", "service/shop/web")
    assert refused(user.client("ecs").update_service, cluster="shop", service="web", desiredCount=0) == (
        "AccessDeniedException",
        f"User: {user.arn} is not authorized to perform: ecs:UpdateService on resource: {arn} because no "
        "identity-based policy allows the ecs:UpdateService action",
    )


def test_a_service_is_named_in_many_ways(strict_account: Account, root: Any) -> None:
    arn = strict_account.arn_of("ecs", "service/shop/web")
    cluster = strict_account.arn_of("ecs", "cluster/shop")
    ecs = strict_account.user(allow("ecs:UpdateService", arn)).client("ecs")
    for where in ({"cluster": "shop", "service": "web"}, {"cluster": cluster, "service": "web"}):
        assert not is_denied(ecs.update_service, **where, desiredCount=0)
    assert not is_denied(ecs.update_service, cluster=cluster, service=arn, desiredCount=0)
    assert is_denied(ecs.update_service, cluster=cluster, service="worker", desiredCount=0)


def test_tasks_are_run_of_some_families_alone(strict_account: Account, root: Any) -> None:
    family = strict_account.arn_of("ecs", "task-definition/web:*")
    ecs = strict_account.user(allow("ecs:RunTask", family)).client("ecs")
    for reference in ("web", "web:1", strict_account.arn_of("ecs", "task-definition/web:1")):
        assert not is_denied(ecs.run_task, cluster="shop", taskDefinition=reference)
    assert is_denied(ecs.run_task, cluster="shop", taskDefinition="worker:1")


def test_roles_of_tasks_have_to_be_passed(strict_account: Account, root: Any) -> None:
    role = strict_account.service_role("ecs-tasks", name="task")
    given = {"family": "web", "containerDefinitions": [WEB], "taskRoleArn": role}
    without = strict_account.user(allow("ecs:RegisterTaskDefinition"), name="without").client("ecs")
    assert "iam:PassRole" in refused(without.register_task_definition, **given)[1]
    able = strict_account.user(allow("ecs:RegisterTaskDefinition"), allow("iam:PassRole", role), name="able")
    assert not is_denied(able.client("ecs").register_task_definition, **given)


def test_nobody_passes_roles_of_other_accounts(strict_account: Account, root: Any) -> None:
    role = "arn:aws:iam::111111111111:role/of-others"
    calls = (
        lambda given: root.run_task(taskDefinition="web", cluster="shop", overrides={"taskRoleArn": given}),
        lambda given: root.create_gateway(name="front", infrastructureRoleArn=given, configuration=SHARED),
    )
    for call in calls:
        assert refused(call, role) == ("AccessDeniedException", "Cross-account pass role is not allowed.")
        code, message = refused(call, "arn:aws:nonsense")
        assert (code, message.endswith("RoleArn is not valid.")) == ("InvalidParameterException", True)


def test_clusters_decide_however_they_are_named(strict_account: Account, root: Any) -> None:
    cluster = strict_account.arn_of("ecs", "cluster/shop")
    statements = allow("ecs:*"), deny("ecs:RunTask", Condition={"ArnEquals": {"ecs:cluster": cluster}})
    ecs = strict_account.user(*statements).client("ecs")
    root.create_cluster()
    for name in ("shop", cluster):
        assert is_denied(ecs.run_task, cluster=name, taskDefinition="web")
    assert not is_denied(ecs.run_task, taskDefinition="web")


def test_tags_decide(strict_account: Account, root: Any) -> None:
    cluster = strict_account.arn_of("ecs", "cluster/shop")
    root.tag_resource(resourceArn=cluster, tags=[{"key": "team", "value": "shop"}])
    condition = {"StringEquals": {"aws:ResourceTag/team": "shop"}}
    ecs = strict_account.user(allow("ecs:DeleteCluster", Condition=condition)).client("ecs")
    root.create_cluster(clusterName="other")
    assert is_denied(ecs.delete_cluster, cluster="other")
    message = refused(ecs.delete_cluster, cluster="shop")[1]
    assert message == "The Cluster cannot be deleted while Services are active."


def test_a_daemon_has_a_name_in_its_cluster(strict_account: Account, root: Any) -> None:
    root.create_cluster()
    definition = strict_account.arn_of("ecs", "daemon-task-definition/agent:1")
    root.register_daemon_task_definition(family="agent", containerDefinitions=[WEB])
    given = {"daemonTaskDefinitionArn": definition, "capacityProviderArns": []}
    ecs = strict_account.user(
        allow("ecs:CreateDaemon", strict_account.arn_of("ecs", "daemon/shop/agent")),
        allow("ecs:DescribeDaemonTaskDefinition", definition),
    ).client("ecs")
    for cluster in ("shop", strict_account.arn_of("ecs", "cluster/shop")):
        assert refused(ecs.create_daemon, clusterArn=cluster, daemonName="agent", **given)[0] == (
            "InvalidParameterException"
        )
        assert is_denied(ecs.create_daemon, clusterArn=cluster, daemonName="other", **given)
    assert is_denied(ecs.create_daemon, daemonName="agent", **given)
    for reference in ("agent:1", definition):
        assert not is_denied(ecs.describe_daemon_task_definition, daemonTaskDefinition=reference)
