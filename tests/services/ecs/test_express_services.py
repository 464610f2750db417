"""Express services: a container, and all that stands before it."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.services.ecs.express import ExpressMode
from tests.standing import Standing, eventually


def test_a_service_is_made_changed_and_removed_with_all_that_belongs_to_it(standing: Standing) -> None:
    # Clients go by their own clock where they look at certificates.
    standing.freeze(datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    web = ExpressMode(standing.account())
    made = web.start(tags=[{"key": "team", "value": "shop"}])
    arn = made["serviceArn"]
    assert (made["status"], made["tags"]) == ({"statusCode": "ACTIVE"}, [{"key": "team", "value": "shop"}])
    (configuration,) = made["activeConfigurations"]
    (path,) = configuration["ingressPaths"]
    endpoint = path["endpoint"]
    assert (path["accessType"], endpoint[:11]) == ("PUBLIC", "https://we-")
    assert configuration["primaryContainer"]["containerPort"] == 80
    assert (configuration["cpu"], configuration["memory"], configuration["healthCheckPath"]) == ("256", "512", "/ping")

    web.eventually_answer(endpoint, "one\n")
    assert web.ask_directly(endpoint) == (200, "one\n")
    described = web.look()
    assert described["resourceManagementType"] == "ECS"
    assert web.ecs.list_services(resourceManagementType="ECS")["serviceArns"] == [arn]
    assert web.ecs.list_services(resourceManagementType="CUSTOMER")["serviceArns"] == []
    assert described["deploymentConfiguration"]["canaryConfiguration"] == {
        "canaryPercent": 5.0,
        "canaryBakeTimeInMinutes": 3,
    }

    revision = configuration["serviceRevisionArn"]
    resources = eventually(
        lambda: web.read_revision(revision)["ecsManagedResources"],
        lambda found: found["autoScaling"]["applicationAutoScalingPolicies"][0]["status"] == "ACTIVE",
    )
    (managed,) = resources["ingressPaths"]
    parts = ("loadBalancer", "certificate", "listener", "rule")
    assert {managed[part]["status"] for part in parts} == {"ACTIVE"}
    assert managed["certificate"]["domainName"] == endpoint.removeprefix("https://")
    assert {each["healthCheckPath"] for each in managed["targetGroups"]} == {"/ping"}
    scaling = web.aws.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs")
    assert [each["MaxCapacity"] for each in scaling["ScalableTargets"]] == [20]
    for each in managed["targetGroups"]:
        attributes = [{"Key": "deregistration_delay.timeout_seconds", "Value": "1"}]
        web.aws.client("elbv2").modify_target_group_attributes(TargetGroupArn=each["arn"], Attributes=attributes)

    other = web.start(serviceName="api", primaryContainer=web.answer("api"))
    second = other["activeConfigurations"][0]["ingressPaths"][0]["endpoint"]
    web.eventually_answer(second, "api\n")
    assert web.list_left() == {
        **{"balancers": 1, "groups": 4, "security groups": 3, "certificates": 3, "alarms": 6, "targets": 2}
    }

    standing.advance("3m")
    web.until_operation(lambda each: each["status"] == "SUCCESSFUL")
    changed = web.ecs.update_express_gateway_service(
        serviceArn=arn,
        primaryContainer=web.answer("two"),
        healthCheckPath="/index.html",
        scalingTarget={"maxTaskCount": 3},
    )["service"]
    target = changed["targetConfiguration"]
    assert (target["healthCheckPath"], target["scalingTarget"]["maxTaskCount"]) == ("/index.html", 3)
    web.until_operation(
        lambda each: (
            each["targetServiceRevision"].get("requestedProductionTrafficWeight") == 5
            and each["lifecycleStage"] == "PRODUCTION_TRAFFIC_SHIFT"
        )
    )
    assert len(web.read_service(arn)["activeConfigurations"]) == 2
    eventually(lambda: web.ask(endpoint), lambda found: found == (200, "two\n"))
    standing.advance("3m")
    web.until_operation(lambda each: each["lifecycleStage"] == "BAKE_TIME")
    eventually(lambda: {web.ask(endpoint) for _ in range(10)}, lambda found: found == {(200, "two\n")})
    standing.advance("3m")
    web.until_operation(lambda each: each["status"] == "SUCCESSFUL")
    (configuration,) = eventually(lambda: web.read_service(arn)["activeConfigurations"], lambda found: len(found) == 1)
    assert configuration["serviceRevisionArn"] == target["serviceRevisionArn"]
    scaling = web.aws.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs")
    assert sorted(each["MaxCapacity"] for each in scaling["ScalableTargets"]) == [3, 20]

    gone = web.ecs.delete_express_gateway_service(serviceArn=arn)["service"]
    assert gone["status"]["statusCode"] == "DRAINING"

    def is_inactive(service: str) -> bool:
        standing.advance("5m")
        return bool(web.read_service(service)["status"]["statusCode"] == "INACTIVE")

    eventually(lambda: is_inactive(arn))
    assert web.ask(second) == (200, "api\n")
    eventually(lambda: web.ask(endpoint)[0], lambda status: status == 404)
    web.ecs.delete_express_gateway_service(serviceArn=other["serviceArn"])
    eventually(lambda: is_inactive(other["serviceArn"]))
    eventually(web.list_left, lambda left: not left)
    logs = web.aws.client("logs").describe_log_groups(logGroupNamePrefix="/aws/ecs/default/")["logGroups"]
    assert len(logs) == 2
