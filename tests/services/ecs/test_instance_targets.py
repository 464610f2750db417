"""Services and tasks on the container instance as targets: by its id, and ports of this machine."""

from __future__ import annotations

import re
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.services.ecs.balancing import Balanced
from tests.services.ecs.containers import Tasks
from tests.services.elbv2.envoys import Web, find_port
from tests.services.elbv2.lb_cloud import LbCloud, fails
from tests.services.elbv2.test_serving import Served
from tests.standing import eventually

_SCRIPT = "echo $HOSTNAME > /srv/index.html; exec httpd -f -p {} -h /srv"


class OnInstance(Balanced):
    """ECS of an account, with a load balancer, and a target group of instances behind port 8080 of it."""

    def __init__(self, aws: Aws) -> None:
        super().__init__(aws)
        self.group = self._create_group(TargetType="instance")
        self.balancers.listen(self.balancer, self.group, 8080)

    @property
    def instance(self) -> str:
        """The EC2 instance id of the container instance."""
        return find_instance(self)

    def serve(self, **members: Any) -> dict[str, Any]:
        """Make the service behind the group of instances."""
        balancer = {"targetGroupArn": self.group, "containerName": "main", "containerPort": 80}
        return self.create(**{"networkConfiguration": None, "loadBalancers": [balancer], **members})

    def list_places(self) -> set[tuple[str, int]]:
        """Return the targets of the group that are not draining."""
        return {
            (each["Target"]["Id"], each["Target"]["Port"])
            for each in self.balancers.health(self.group)
            if each["TargetHealth"]["State"] != "draining"
        }

    def list_ports(self) -> set[tuple[str, int]]:
        """Return the ports of the machine that lead to tasks of the service."""
        described = self.ecs.describe_tasks(tasks=self.list_tasks())["tasks"]
        return {(self.instance, each["containers"][0]["networkBindings"][0]["hostPort"]) for each in described}

    def ask(self) -> set[str]:
        """Return who has answered to some requests."""
        answers = [self.front.ask(port=8080) for _ in range(10)]
        assert {status for status, _ in answers} == {200}
        return {body.strip() for _, body in answers}


def find_instance(tasks: Tasks) -> str:
    instances = tasks.ecs.list_container_instances()["containerInstanceArns"]
    (found,) = tasks.ecs.describe_container_instances(containerInstances=instances)["containerInstances"]
    return str(found["ec2InstanceId"])


@pytest.fixture
def web(aws: Aws) -> OnInstance:
    return OnInstance(aws)


def test_tasks_are_targets_by_their_ports_of_the_machine(web: OnInstance) -> None:
    web.register(
        {"portMappings": [{"containerPort": 80}], "command": ["sh", "-c", _SCRIPT.format(80)], "stopTimeout": 1},
        family="web",
        mode="bridge",
    )
    web.serve()
    web.settle()
    assert re.fullmatch("i-[0-9a-f]{17}", web.instance)
    before = web.list_places()
    assert before == web.list_ports()
    assert len(before) == 2
    first = web.ask()
    assert len(first) == 2
    web.ecs.stop_task(task=web.list_tasks()[0])
    web.until(lambda service: service["runningCount"] < 2)
    web.settle()
    after = web.list_places()
    assert after == web.list_ports()
    assert len(after) == 2
    assert len(after & before) == 1
    again = web.ask()
    assert len(again) == 2
    assert len(again & first) == 1
    web.ecs.delete_service(service="web", force=True)
    eventually(lambda: web.balancers.health(web.group), lambda found: not found)


def test_a_port_of_the_machine_is_of_one_task_at_a_time(web: OnInstance) -> None:
    port = find_port()
    container = {
        "portMappings": [{"containerPort": port}],
        "command": ["sh", "-c", _SCRIPT.format(port)],
        "stopTimeout": 1,
    }
    definition = web.register(container, family="web", mode="host")
    balancer = {"targetGroupArn": web.group, "containerName": "main", "containerPort": port}
    web.serve(loadBalancers=[balancer], desiredCount=1, deploymentConfiguration={"minimumHealthyPercent": 0})
    web.settle()
    assert web.list_places() == {(web.instance, port)}
    assert web.front.eventually(200, port=8080)
    refused = web.ecs.run_task(taskDefinition=definition)
    assert [each["reason"] for each in refused["failures"]] == ["RESOURCE:PORTS"]
    (old,) = web.list_tasks()
    web.update(forceNewDeployment=True)
    web.until(lambda service: old not in web.list_tasks())
    web.settle()
    assert web.list_places() == {(web.instance, port)}
    assert web.front.eventually(200, port=8080)
    web.update(desiredCount=2)
    words = "is already using a port required by your task. For more information"
    eventually(web.list_messages, lambda told: words in told[-1])


def test_tasks_are_registered_by_hand(web: OnInstance) -> None:
    register = web.elb.register_targets
    other = "i-0123456789abcdef0"
    fails("InvalidTarget", register, TargetGroupArn=web.group, Targets=[{"Id": other, "Port": 80}])
    fails("ValidationError", register, TargetGroupArn=web.group, Targets=[{"Id": "10.0.0.10", "Port": 80}])
    command = ["httpd", "-f", "-p", "80", "-h", "/srv"]
    task = web.run({"portMappings": [{"containerPort": 80}], "command": command, "stopTimeout": 1}, mode="bridge")
    ((binding,),) = (each["networkBindings"] for each in web.wait(task, "RUNNING")["containers"])
    register(TargetGroupArn=web.group, Targets=[{"Id": web.instance, "Port": binding["hostPort"]}])
    assert web.front.eventually(200, "/index.html", 8080) == "hello from a task\n"
    web.ecs.stop_task(task=task)
    web.wait(task, "STOPPED")
    web.front.eventually(502, "/index.html", 8080)
    eventually(
        lambda: [each["TargetHealth"]["State"] for each in web.balancers.health(web.group)],
        lambda states: states == ["unhealthy"],
    )


def test_network_load_balancers_look_whether_ports_are_open(aws: Aws) -> None:
    cloud, instance = LbCloud(aws), find_instance(Tasks(aws))
    served, web, closed = Served(cloud, Type="network"), Web("web"), find_port()
    checks = {"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2, "HealthyThresholdCount": 2}
    group = cloud.create_group(Protocol="TCP", TargetType="instance", **checks)
    cloud.listen(served.arn, group, port=8080, Protocol="TCP")
    targets = [{"Id": instance, "Port": port} for port in (web.port, closed)]
    cloud.elb.register_targets(TargetGroupArn=group, Targets=targets)

    def list_states() -> dict[int, tuple[str, str | None]]:
        found = [(each["Target"]["Port"], each["TargetHealth"]) for each in cloud.health(group)]
        return {port: (health["State"], health.get("Reason")) for port, health in found}

    eventually(
        list_states,
        lambda states: states == {web.port: ("healthy", None), closed: ("unhealthy", "Target.FailedHealthChecks")},
    )
    assert {served.ask(port=8080)[0] for _ in range(10)} == {200}
    assert web.asked[-1]["client"] == "127.0.0.1"
    web.close()
    eventually(list_states, lambda states: states[web.port][0] == "unhealthy")
    datagrams = cloud.create_group(Protocol="UDP", TargetType="instance")
    fails("InvalidConfigurationRequest", cloud.elb.register_targets, TargetGroupArn=datagrams, Targets=targets)
