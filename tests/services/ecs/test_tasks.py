"""Tasks run: from PROVISIONING to STOPPED."""

from __future__ import annotations

import pytest

from cloudlet.testing.server import Aws
from tests.services.ecs.containers import LOGS, Tasks


@pytest.fixture
def tasks(aws: Aws) -> Tasks:
    return Tasks(aws)


def test_a_task_runs_logs_and_ends(tasks: Tasks) -> None:
    arn = tasks.run({"command": ["sh", "-c", "echo hello $COLOUR; exit 3"], "logConfiguration": LOGS})
    ended = tasks.wait(arn, "STOPPED")
    assert (ended["stopCode"], ended["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    (container,) = ended["containers"]
    assert (container["lastStatus"], container["exitCode"], container["imageDigest"]) == ("STOPPED", 3, tasks.digest)
    assert tasks.read(arn) == ["hello green"]


def test_its_states_are_told(tasks: Tasks) -> None:
    arn = tasks.run({"stopTimeout": 2}, run={"startedBy": "me", "tags": [{"key": "a", "value": "b"}], "group": "g"})
    running = tasks.wait(arn, "RUNNING")
    assert running["createdAt"] <= running["pullStartedAt"] <= running["pullStoppedAt"] <= running["startedAt"]
    assert (running["startedBy"], running["group"], running["tags"]) == ("me", "g", [{"key": "a", "value": "b"}])
    assert (running["launchType"], running["desiredStatus"]) == ("EC2", "RUNNING")
    (container,) = running["containers"]
    assert (container["lastStatus"], container["name"], container["healthStatus"]) == ("RUNNING", "main", "UNKNOWN")
    assert tasks.ecs.list_tasks(startedBy="me")["taskArns"] == [arn]
    stopping = tasks.ecs.stop_task(task=arn, reason="enough")["task"]
    assert (stopping["desiredStatus"], stopping["lastStatus"]) == ("STOPPED", "RUNNING")
    ended = tasks.wait(arn, "STOPPED")
    assert (ended["stopCode"], ended["stoppedReason"]) == ("UserInitiated", "enough")
    assert ended["stoppingAt"] <= ended["executionStoppedAt"] <= ended["stoppedAt"]
    assert ended["containers"][0]["exitCode"] == 137
    assert tasks.ecs.list_tasks()["taskArns"] == []
    assert tasks.ecs.list_tasks(desiredStatus="STOPPED")["taskArns"] == [arn]


def test_overrides_come_over_the_definition(tasks: Tasks) -> None:
    override = {"name": "main", "command": ["sh", "-c", "echo $A $B $C"], "environment": [{"name": "B", "value": "2"}]}
    arn = tasks.run(
        {"environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}], "logConfiguration": LOGS},
        run={"overrides": {"containerOverrides": [override]}},
    )
    ended = tasks.wait(arn, "STOPPED")
    assert tasks.read(arn) == ["1 2"]
    assert ended["overrides"]["containerOverrides"] == [override]
    with pytest.raises(
        tasks.ecs.exceptions.InvalidParameterException, match="is not a container in the TaskDefinition"
    ):
        tasks.run({}, run={"overrides": {"containerOverrides": [{"name": "other"}]}})


def test_an_image_that_cannot_be_pulled(tasks: Tasks) -> None:
    ended = tasks.finish({"image": tasks.image.replace("v1", "v2")})
    assert ended["stopCode"] == "TaskFailedToStart"
    assert ended["stoppedReason"].startswith("CannotPullContainerError: pull image manifest has been retried")
    assert ended["containers"][0]["reason"] == ended["stoppedReason"]
    assert "exitCode" not in ended["containers"][0]


def test_a_token_runs_tasks_once(tasks: Tasks) -> None:
    definition = tasks.register({"command": ["true"]})
    first = tasks.ecs.run_task(taskDefinition=definition, clientToken="t", count=2)["tasks"]
    again = tasks.ecs.run_task(taskDefinition=definition, clientToken="t", count=2)["tasks"]
    assert [each["taskArn"] for each in first] == [each["taskArn"] for each in again]
    with pytest.raises(tasks.ecs.exceptions.ConflictException):
        tasks.ecs.run_task(taskDefinition=definition, clientToken="t", count=1)


def test_secrets_and_files_of_variables(tasks: Tasks) -> None:
    secret = tasks.aws.client("secretsmanager").create_secret(Name="db", SecretString='{"user": "u", "port": 5}')["ARN"]
    tasks.aws.client("ssm").put_parameter(Name="/shop/key", Value="k", Type="SecureString")
    s3, bucket = tasks.aws.client("s3"), f"files-{tasks.aws.account}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="a.env", Body=b"# no\nONE=1=1\nTWO=2\n")
    arn = tasks.run(
        {
            "command": ["sh", "-c", "echo $USER_NAME $PORT $KEY $ONE $TWO"],
            "environment": [{"name": "TWO", "value": "two"}],
            "environmentFiles": [{"type": "s3", "value": f"arn:aws:s3:::{bucket}/a.env"}],
            "secrets": [
                {"name": "USER_NAME", "valueFrom": f"{secret}:user::"},
                {"name": "PORT", "valueFrom": f"{secret}:port::"},
                {"name": "KEY", "valueFrom": "/shop/key"},
            ],
            "logConfiguration": LOGS,
        },
        executionRoleArn=f"arn:aws:iam::{tasks.aws.account}:role/execution",
    )
    tasks.wait(arn, "STOPPED")
    assert tasks.read(arn) == ["u 5 k 1=1 two"]
    missing = f"arn:aws:secretsmanager:us-east-1:{tasks.aws.account}:secret:none-AAAAAA"
    ended = tasks.finish({"secrets": [{"name": "A", "valueFrom": missing}]})
    assert ended["stopCode"] == "TaskFailedToStart"
    assert "unable to retrieve secret from asm" in ended["stoppedReason"]
    assert "ResourceNotFoundException" in ended["stoppedReason"]


def test_what_an_image_and_a_definition_say_of_the_program(tasks: Tasks) -> None:
    image = tasks.push("v2", Entrypoint=["sh", "-c"], Cmd=["pwd; id -u; id -g"], User="www", WorkingDir="/srv")
    arn = tasks.run({"image": image, "logConfiguration": LOGS})
    tasks.wait(arn, "STOPPED")
    assert tasks.read(arn) == ["/srv", "999", "999"]
    arn = tasks.run(
        {
            "image": image,
            "entryPoint": ["sh"],
            "command": ["-c", "pwd; id -u; ls -ln /srv | grep index; cat /etc/hosts | grep db"],
            "workingDirectory": "/made/here",
            "user": "0:0",
            "extraHosts": [{"hostname": "db", "ipAddress": "10.0.0.9"}],
            "logConfiguration": LOGS,
        }
    )
    tasks.wait(arn, "STOPPED")
    assert tasks.read(arn)[0:2] == ["/made/here", "0"]


def test_limits_and_surroundings_bind(tasks: Tasks) -> None:
    script = "touch /x || echo read-only; touch /scratch/a && echo scratch; ulimit -n; echo $$; stat -c %a /data; id"
    arn = tasks.run(
        {
            "command": ["sh", "-c", script],
            "readonlyRootFilesystem": True,
            "linuxParameters": {
                "initProcessEnabled": True,
                "tmpfs": [{"containerPath": "/scratch", "size": 4}],
                "capabilities": {"drop": ["ALL"]},
            },
            "ulimits": [{"name": "nofile", "softLimit": 77, "hardLimit": 99}],
            "mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}],
            "logConfiguration": LOGS,
        },
        volumes=[{"name": "data"}],
    )
    ended = tasks.wait(arn, "STOPPED")
    said = tasks.read(arn)
    assert [line for line in said if "touch" not in line][:3] == ["read-only", "scratch", "77"], (said, ended)
    assert int(said[-3]) > 1


def test_memory_beyond_the_limit(tasks: Tasks) -> None:
    ended = tasks.finish({"command": ["sh", "-c", "x=$(cat /dev/zero | head -c 200000000 | tr '\\0' a)"], "memory": 32})
    assert (ended["stopCode"], ended["containers"][0]["reason"]) == (
        "EssentialContainerExited",
        "OutOfMemoryError: Container killed due to memory usage",
    )
