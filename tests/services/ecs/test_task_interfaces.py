"""Tasks with network interfaces of their own (awsvpc), as on Fargate."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.services.ecs.containers import LOGS, Tasks


class Fargate(Tasks):
    """Tasks on Fargate, in the default VPC."""

    def __init__(self, aws: Aws) -> None:
        super().__init__(aws)
        self.ec2 = aws.client("ec2")
        self.subnet = self.ec2.describe_subnets()["Subnets"][0]
        self.group = self.ec2.create_security_group(GroupName="web", Description="of tasks")["GroupId"]
        self.network = {"awsvpcConfiguration": {"subnets": [self.subnet["SubnetId"]], "securityGroups": [self.group]}}

    def launch(self, *containers: Any, **more: Any) -> str:
        return self.run(
            *containers,
            mode="awsvpc",
            run={"launchType": "FARGATE", "networkConfiguration": self.network},
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            executionRoleArn=f"arn:aws:iam::{self.aws.account}:role/execution",
            **more,
        )

    def stop(self, arn: str) -> None:
        self.ecs.stop_task(task=arn)
        self.wait(arn, "STOPPED")


@pytest.fixture
def fargate(aws: Aws) -> Fargate:
    return Fargate(aws)


def find_details(task: dict[str, Any]) -> dict[str, str]:
    (attachment,) = task["attachments"]
    return {each["name"]: each["value"] for each in attachment["details"]}


def test_a_task_has_an_interface(fargate: Fargate) -> None:
    arn = fargate.launch({"stopTimeout": 2, "logConfiguration": LOGS})
    assert fargate.describe(arn)["attachments"][0]["type"] == "ElasticNetworkInterface"
    running = fargate.wait(arn, "RUNNING")
    details = find_details(running)
    (interface,) = fargate.ec2.describe_network_interfaces(NetworkInterfaceIds=[details["networkInterfaceId"]])[
        "NetworkInterfaces"
    ]
    assert interface["PrivateIpAddress"] == details["privateIPv4Address"]
    assert [group["GroupId"] for group in interface["Groups"]] == [fargate.group]
    assert (running["attachments"][0]["status"], details["subnetId"]) == ("ATTACHED", fargate.subnet["SubnetId"])
    assert running["containers"][0]["networkInterfaces"][0]["privateIpv4Address"] == details["privateIPv4Address"]
    assert (running["platformVersion"], running["launchType"], running["cpu"]) == ("1.4.0", "FARGATE", "256")
    fargate.stop(arn)
    assert fargate.describe(arn)["attachments"][0]["status"] == "DELETED"
    assert fargate.ec2.describe_network_interfaces()["NetworkInterfaces"] == []


def test_containers_share_it_and_security_groups_bind(fargate: Fargate) -> None:
    server = fargate.launch(
        {"name": "main", "command": ["httpd", "-f", "-p", "80", "-h", "/srv"], "stopTimeout": 2},
        {
            "name": "beside",
            "command": [
                "sh",
                "-c",
                "while ! wget -q -O - http://127.0.0.1/index.html 2>/dev/null; do sleep 0.1; done; sleep 1000",
            ],
            "logConfiguration": LOGS,
            "stopTimeout": 2,
        },
    )
    address = find_details(fargate.wait(server, "RUNNING"))["privateIPv4Address"]
    fargate.wait(server, lambda task: fargate.read(server, container="beside") == ["hello from a task"])

    def fetch() -> list[str]:
        arn = fargate.launch(
            {"command": ["wget", "-T", "2", "-q", "-O", "-", f"http://{address}/index.html"], "logConfiguration": LOGS}
        )
        fargate.wait(arn, "STOPPED")
        return fargate.read(arn)

    assert "hello from a task" not in fetch()
    permission = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": fargate.group}]}
    fargate.ec2.authorize_security_group_ingress(GroupId=fargate.group, IpPermissions=[permission])
    assert fetch() == ["hello from a task"]
    fargate.stop(server)


def test_it_is_told_of_itself_and_reaches_cloudlet(fargate: Fargate) -> None:
    script = 'wget -q -O - "$ECS_CONTAINER_METADATA_URI_V4/task"; echo; echo $AWS_EXECUTION_ENV $AWS_ENDPOINT_URL'
    arn = fargate.launch({"command": ["sh", "-c", script], "logConfiguration": LOGS})
    fargate.wait(arn, "STOPPED")
    told, variables = fargate.read(arn)
    assert f'"TaskARN":"{arn}"' in told
    assert '"LaunchType":"FARGATE"' in told
    assert variables.startswith("AWS_ECS_FARGATE http://169.254.170.2:")


def test_a_subnet_that_is_not_there(fargate: Fargate) -> None:
    fargate.network = {"awsvpcConfiguration": {"subnets": ["subnet-0123456789abcdef0"]}}
    with pytest.raises(fargate.ecs.exceptions.InvalidParameterException, match=r"InvalidSubnetID\.NotFound"):
        fargate.launch({})


def test_tasks_one_after_the_other_are_told_of_themselves(fargate: Fargate) -> None:
    """The network of a VPC goes with its last interface, and is made again."""
    script = 'wget -T 5 -q -O - "$ECS_CONTAINER_METADATA_URI_V4/task"'
    for _ in range(2):
        arn = fargate.launch({"command": ["sh", "-c", script], "logConfiguration": LOGS})
        fargate.wait(arn, "STOPPED")
        assert f'"TaskARN":"{arn}"' in fargate.read(arn)[0]


def test_many_tasks_at_once(fargate: Fargate) -> None:
    definition = fargate.register({"stopTimeout": 2}, family="many")
    arns = [
        each["taskArn"] for _ in range(5) for each in fargate.ecs.run_task(taskDefinition=definition, count=10)["tasks"]
    ]
    for arn in arns:
        fargate.wait(arn, "RUNNING")
    for arn in arns:
        fargate.ecs.stop_task(task=arn)
    for arn in arns:
        fargate.wait(arn, "STOPPED")
