"""Express services where permissions are enforced: by AWS's own policies for their roles."""

from __future__ import annotations

from typing import Any

from cloudlet.testing.server import Aws
from tests.refused import refused
from tests.services.ecs.express import ExpressMode
from tests.standing import eventually
from tests.strict_accounts import Account, allow

_POLICIES = {
    "infrastructure": ("ecs", "AmazonECSInfrastructureRoleforExpressGatewayServices"),
    "execution": ("ecs-tasks", "AmazonECSTaskExecutionRolePolicy"),
}


def test_aws_policies_are_enough(strict_account: Account) -> None:
    web = ExpressMode(Aws(strict_account.endpoint, strict_account.number))
    for name, (service, policy) in _POLICIES.items():
        strict_account.service_role(service, name=name)
        arn = f"arn:aws:iam::aws:policy/service-role/{policy}"
        strict_account.iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    user = strict_account.user(allow(["ecs:CreateExpressGatewayService", "ecs:RegisterTaskDefinition"]))
    given: dict[str, Any] = {
        "executionRoleArn": web.find_role("execution"),
        "infrastructureRoleArn": web.find_role("infrastructure"),
        "primaryContainer": web.answer("one"),
    }
    assert "iam:PassRole" in refused(user.client("ecs").create_express_gateway_service, **given)[1]

    made = web.start()
    web.eventually_answer(made["activeConfigurations"][0]["ingressPaths"][0]["endpoint"], "one\n")
    assert "statusReason" not in web.read_service(made["serviceArn"])["status"]
    groups = web.aws.client("elbv2").describe_target_groups()["TargetGroups"]
    for group in groups:
        attributes = [{"Key": "deregistration_delay.timeout_seconds", "Value": "1"}]
        web.aws.client("elbv2").modify_target_group_attributes(
            TargetGroupArn=group["TargetGroupArn"], Attributes=attributes
        )
    web.ecs.delete_express_gateway_service(serviceArn=made["serviceArn"])
    eventually(web.list_left, lambda left: not left)


def test_what_a_role_may_not_do_is_told(strict_account: Account) -> None:
    web = ExpressMode(Aws(strict_account.endpoint, strict_account.number))
    strict_account.service_role("ecs", name="infrastructure")
    made = web.start()
    status = eventually(lambda: web.read_service(made["serviceArn"])["status"], lambda found: "statusReason" in found)
    assert "is not authorized to perform: logs:CreateLogGroup" in status["statusReason"]
    resources = web.read_revision(made["activeConfigurations"][0]["serviceRevisionArn"])["ecsManagedResources"]
    assert [each["status"] for each in resources["logGroups"]] == ["FAILED"]
    web.ecs.delete_express_gateway_service(serviceArn=made["serviceArn"])
