"""Services behind load balancers, for tests."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.testing.server import Aws
from tests.modes import MODE
from tests.services.ecs.serving import Services
from tests.services.elbv2.lb_cloud import OK, LbCloud, forward
from tests.services.elbv2.test_serving import Served

WEB: Final = {"portMappings": [{"containerPort": 80}], "stopTimeout": 1}
"""A container that answers HTTP requests."""


class Balanced(Services):
    """ECS of an account, with a load balancer, two target groups, and a service that is called web."""

    def __init__(self, aws: Aws, *, is_network: bool = False) -> None:
        """With a Network Load Balancer, its listeners are the rules."""
        super().__init__(aws)
        if MODE == "strict":
            self.create_role("balancing", "ecs.amazonaws.com")
        self.balancers = LbCloud(aws)
        self.elb = self.balancers.elb
        self.front = Served(self.balancers, **({"Type": "network"} if is_network else {}))
        self.balancer = self.front.arn
        protocol = {"Protocol": "TCP"} if is_network else {}
        self.blue, self.green = (self._create_group(**protocol) for _ in range(2))
        both = {
            "TargetGroups": [{"TargetGroupArn": self.blue, "Weight": 1}, {"TargetGroupArn": self.green, "Weight": 0}]
        }
        actions = [{"Type": "forward", "ForwardConfig": both}]
        if is_network:
            self.rule, self.test_rule = (
                self.balancers.listen(self.balancer, port=port, **protocol, DefaultActions=actions)["ListenerArn"]
                for port in (80, 81)
            )
        else:
            listener = self.balancers.listen(self.balancer, DefaultActions=[OK])["ListenerArn"]
            self.rule = self.balancers.add_rule(listener, 2, "/*", Actions=actions)["RuleArn"]
            self.test_rule = self.balancers.add_rule(listener, 1, "/test", Actions=[forward(self.blue)])["RuleArn"]
        self.network = {
            "awsvpcConfiguration": {
                "subnets": self.balancers.subnets[:2],
                "securityGroups": [self._open_group()],
            }
        }
        self.publish("one")

    def publish(self, body: str, after: str = "") -> str:
        """Register a task definition whose tasks answer with a text."""
        script = f"echo {body} > /srv/index.html; echo {body} > /srv/test; {after} exec httpd -f -h /srv"
        return self.register({**WEB, "command": ["sh", "-c", script]}, family="web", mode="awsvpc")

    def _create_group(self, **more: Any) -> str:
        checks: dict[str, Any] = {
            **more,
            "HealthCheckIntervalSeconds": 5,
            "HealthCheckTimeoutSeconds": 2,
            "HealthyThresholdCount": 2,
            "UnhealthyThresholdCount": 2,
        }
        made = self.balancers.create_group(**checks)
        attributes = [{"Key": "deregistration_delay.timeout_seconds", "Value": "1"}]
        self.elb.modify_target_group_attributes(TargetGroupArn=made, Attributes=attributes)
        return made

    def _open_group(self) -> str:
        group = self.balancers.make_group("open")
        everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        self.balancers.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[everything])
        return group

    def balance(self, **advanced: Any) -> dict[str, Any]:
        """Return the load balancer of the service."""
        made: dict[str, Any] = {"targetGroupArn": self.blue, "containerName": "main", "containerPort": 80}
        return {**made, "advancedConfiguration": advanced} if advanced else made

    def shift(self) -> dict[str, Any]:
        """Return the load balancer of a service whose traffic is shifted."""
        return self.balance(
            alternateTargetGroupArn=self.green,
            productionListenerRule=self.rule,
            testListenerRule=self.test_rule,
            roleArn=f"arn:aws:iam::{self.aws.account}:role/balancing",
        )

    def create(self, **members: Any) -> dict[str, Any]:
        given = {"networkConfiguration": self.network, "loadBalancers": [self.balance()], **members}
        return super().create(**given)

    def list_targets(self, group: str) -> set[str]:
        """Return the addresses of the targets of a group that are not draining."""
        found = self.balancers.health(group)
        return {each["Target"]["Id"] for each in found if each["TargetHealth"]["State"] != "draining"}

    def list_addresses(self) -> set[str]:
        """Return the addresses of the tasks of the service."""
        described = self.ecs.describe_tasks(tasks=self.list_tasks())["tasks"]
        return {each["containers"][0]["networkInterfaces"][0]["privateIpv4Address"] for each in described}

    def get_weights(self, rule: str) -> tuple[int, int]:
        """Return the weights of both groups in a rule, or a listener."""
        if ":listener-rule/" in rule:
            (found,) = self.elb.describe_rules(RuleArns=[rule])["Rules"]
            (action,) = found["Actions"]
        else:
            (found,) = self.elb.describe_listeners(ListenerArns=[rule])["Listeners"]
            (action,) = found["DefaultActions"]
        groups = action["ForwardConfig"]["TargetGroups"]
        weights = {each["TargetGroupArn"]: each.get("Weight", 1) for each in groups}
        return weights.get(self.blue, 0), weights.get(self.green, 0)

    def wait_for_stage(self, stage: str, weights: tuple[int, int] | None = None) -> dict[str, Any]:
        """Wait until the newest deployment pauses at a stage; return it."""

        def is_there(operation: dict[str, Any]) -> bool:
            is_waiting = any(each["status"] == "AWAITING_ACTION" for each in operation["lifecycleHookDetails"])
            is_shifted = weights in (None, self.get_weights(self.rule))
            return is_waiting and is_shifted and operation["lifecycleStage"] == stage

        return self.until_operation(is_there)

    def go_on(self, operation: dict[str, Any]) -> None:
        """End the pause of a deployment."""
        (hook,) = operation["lifecycleHookDetails"]
        arn = operation["serviceDeploymentArn"]
        self.ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId=hook["hookId"])


def configure(strategy: str, *hooks: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return the configuration of a deployment without bake time."""
    return {"strategy": strategy, "bakeTimeInMinutes": 0, "lifecycleHooks": list(hooks), **more}


def pause(*stages: str) -> dict[str, Any]:
    """Return a hook that waits for somebody at some stages."""
    return {"targetType": "PAUSE", "lifecycleStages": list(stages)}
