"""Several containers of a task: dependencies, health, restarts, volumes, and how they are stopped."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.services.ecs.containers import LOGS, Tasks
from tests.standing import Standing


@pytest.fixture
def tasks(aws: Aws) -> Tasks:
    return Tasks(aws)


def after(name: str, condition: str) -> list[dict[str, str]]:
    return [{"containerName": name, "condition": condition}]


def by_name(task: dict[str, Any]) -> dict[str, Any]:
    return {each["name"]: each for each in task["containers"]}


def test_a_container_waits_for_one_that_succeeds(tasks: Tasks) -> None:
    shared = [{"sourceVolume": "shared", "containerPath": "/shared"}]
    arn = tasks.run(
        {
            "name": "main",
            "command": ["cat", "/shared/file"],
            "dependsOn": after("init", "SUCCESS"),
            "volumesFrom": [{"sourceContainer": "init"}],
            "logConfiguration": LOGS,
        },
        {
            "name": "init",
            "essential": False,
            "command": ["sh", "-c", "sleep 0.3; echo from init > /shared/file"],
            "mountPoints": shared,
        },
        volumes=[{"name": "shared"}],
    )
    ended = by_name(tasks.wait(arn, "STOPPED"))
    assert (ended["init"]["exitCode"], ended["main"]["exitCode"]) == (0, 0)
    assert tasks.read(arn) == ["from init"]


def test_one_that_fails_keeps_others_from_starting(tasks: Tasks) -> None:
    ended = tasks.finish(
        {"name": "main", "dependsOn": after("init", "SUCCESS")},
        {"name": "init", "essential": False, "command": ["false"]},
    )
    assert ended["stopCode"] == "TaskFailedToStart"
    assert ended["stoppedReason"] == (
        "dependency graph: failed to resolve container ordering dependency [init] for target [main] as dependency did "
        "not exit successfully."
    )
    assert "exitCode" not in by_name(ended)["main"]


def test_a_container_waits_for_one_that_is_healthy(tasks: Tasks) -> None:
    check = {"command": ["CMD-SHELL", "cat /ready"], "interval": 5, "timeout": 2, "retries": 1, "startPeriod": 20}
    arn = tasks.run(
        {"name": "main", "dependsOn": after("db", "HEALTHY"), "stopTimeout": 2},
        {
            "name": "db",
            "command": ["sh", "-c", "sleep 1; touch /ready; sleep 1000"],
            "healthCheck": check,
            "stopTimeout": 2,
        },
    )
    assert tasks.wait(arn, lambda task: by_name(task)["db"]["lastStatus"] == "RUNNING")["lastStatus"] == "PENDING"
    running = tasks.wait(arn, "RUNNING")
    assert by_name(running)["db"]["healthStatus"] == "HEALTHY"
    # Both are essential, and only one has a health check.
    assert running["healthStatus"] == "UNKNOWN"
    tasks.ecs.stop_task(task=arn)
    tasks.wait(arn, "STOPPED")


def test_one_waits_for_a_while_that_no_clock_of_the_cloud_shortens(standing: Standing) -> None:
    tasks = Tasks(standing.account())
    check = {"command": ["CMD-SHELL", "cat /ready"], "interval": 5, "timeout": 2, "retries": 9, "startPeriod": 60}
    late, never = (
        tasks.run(
            {"name": "main", "command": ["true"], "dependsOn": after("db", "HEALTHY")},
            {
                "name": "db",
                "command": ["sh", "-c", script],
                "healthCheck": check,
                "startTimeout": wait,
                "stopTimeout": 2,
            },
        )
        for script, wait in (("sleep 2; touch /ready; sleep 1000", 100), ("sleep 1000", 2))
    )
    for arn in (late, never):
        tasks.wait(arn, lambda task: by_name(task)["db"]["lastStatus"] != "PENDING")
    standing.advance("10m")
    assert by_name(tasks.wait(late, "STOPPED"))["main"]["exitCode"] == 0
    assert tasks.wait(never, "STOPPED")["stoppedReason"] == (
        "dependency graph: container ordering dependency [db] for target [main] has timed out."
    )


def test_health_checks_that_fail(tasks: Tasks) -> None:
    check = {"command": ["CMD", "false"], "interval": 5, "timeout": 2, "retries": 1}
    arn = tasks.run({"healthCheck": check, "stopTimeout": 2})
    tasks.wait(arn, lambda task: task["healthStatus"] == "UNHEALTHY")
    # A task that no service has goes on.
    assert tasks.describe(arn)["lastStatus"] == "RUNNING"
    tasks.ecs.stop_task(task=arn)
    tasks.wait(arn, "STOPPED")


def test_an_image_says_how_it_is_stopped(tasks: Tasks) -> None:
    image = tasks.push("usr1", StopSignal="SIGUSR1")
    script = "trap 'echo asked; exit 7' USR1; echo ready; while true; do sleep 0.05; done"
    arn = tasks.run({"image": image, "command": ["sh", "-c", script], "logConfiguration": LOGS})
    tasks.wait(arn, "RUNNING")
    while tasks.read(arn) != ["ready"]:
        pass
    tasks.ecs.stop_task(task=arn)
    assert tasks.wait(arn, "STOPPED")["containers"][0]["exitCode"] == 7
    assert tasks.read(arn) == ["ready", "asked"]


def test_containers_stop_in_the_reverse_order_of_their_dependencies(tasks: Tasks) -> None:
    def trapping(name: str) -> list[str]:
        return ["sh", "-c", f"trap 'echo {name} >> /shared/order; exit 0' TERM; touch /shared/{name}; "
                            "while true; do sleep 0.05; done"]  # fmt: skip

    mounts = [{"sourceVolume": "shared", "containerPath": "/shared"}]
    arn = tasks.run(
        {"name": "db", "command": trapping("db"), "mountPoints": mounts, "logConfiguration": LOGS},
        {"name": "web", "command": trapping("web"), "mountPoints": mounts, "dependsOn": after("db", "START")},
        {
            "name": "watch",
            "command": ["sh", "-c", "trap 'sleep 1; cat /shared/order; exit 0' TERM; while true; do sleep 0.05; done"],
            "mountPoints": mounts,
            "logConfiguration": LOGS,
            "essential": False,
        },
        volumes=[{"name": "shared"}],
    )
    tasks.wait(arn, "RUNNING")
    tasks.ecs.stop_task(task=arn)
    tasks.wait(arn, "STOPPED")
    assert tasks.read(arn, container="watch") == ["web", "db"]


def test_a_container_is_started_again(tasks: Tasks) -> None:
    """By its restart policy, once it has run for long enough: this one has not, and stays down."""
    policy = {"enabled": True, "restartAttemptPeriod": 60}
    ended = tasks.finish({"command": ["false"], "restartPolicy": policy})
    assert ended["containers"][0]["exitCode"] == 1


def test_volumes_get_what_the_image_has_there(tasks: Tasks) -> None:
    arn = tasks.run(
        {
            "command": ["sh", "-c", "cat /srv/index.html; stat -c %u /srv"],
            "mountPoints": [{"sourceVolume": "site", "containerPath": "/srv", "readOnly": True}],
            "logConfiguration": LOGS,
        },
        volumes=[{"name": "site"}],
    )
    tasks.wait(arn, "STOPPED")
    assert tasks.read(arn) == ["hello from a task", "999"]


def test_events_of_several_lines(tasks: Tasks) -> None:
    options = {**LOGS["options"], "awslogs-datetime-format": "%Y-%m-%d"}  # type: ignore[dict-item]
    arn = tasks.run(
        {
            "command": ["sh", "-c", "echo '2026-01-01 one'; echo more; echo '2026-01-02 two'"],
            "logConfiguration": {"logDriver": "awslogs", "options": options},
        }
    )
    tasks.wait(arn, "STOPPED")
    assert tasks.read(arn) == ["2026-01-01 one\nmore", "2026-01-02 two"]


def test_a_log_group_that_is_not_there(tasks: Tasks) -> None:
    options = {"awslogs-group": "/none", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs"}
    ended = tasks.finish({"logConfiguration": {"logDriver": "awslogs", "options": options}})
    assert ended["stopCode"] == "TaskFailedToStart"
    assert ended["stoppedReason"].startswith(
        "ResourceInitializationError: failed to validate logger args: create stream"
    )


def test_the_limits_of_a_task_are_for_its_containers_together(tasks: Tasks) -> None:
    """Each takes less than the task may, but not both."""
    take = "head -c 40000000 /dev/zero > /dev/shm/taken; sleep 1000"
    ended = tasks.finish(
        {"name": "main", "command": ["sh", "-c", take], "memory": None, "stopTimeout": 2},
        {"name": "beside", "command": ["sh", "-c", f"sleep 2; {take}"], "memory": None, "stopTimeout": 2},
        cpu="256",
        memory="64",
    )
    reasons = {each.get("reason") for each in ended["containers"]}
    assert "OutOfMemoryError: Container killed due to memory usage" in reasons


def test_one_that_cannot_start_leaves_no_other_running(tasks: Tasks) -> None:
    mark = f"true {tasks.aws.account}"
    ended = tasks.finish(
        {"name": "main", "user": "nobody-knows"},
        {"name": "beside", "command": ["sh", "-c", f"sleep 1000; {mark}"], "stopTimeout": 2},
    )
    assert ended["stopCode"] == "TaskFailedToStart"
    assert not [each for each in Path("/proc").glob("[0-9]*/cmdline") if mark in read_command(each)]


def read_command(file: Path) -> str:
    with suppress(OSError):
        return file.read_text(errors="replace")
    return ""
