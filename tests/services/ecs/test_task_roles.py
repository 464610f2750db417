"""The roles of tasks where permissions are enforced."""

from __future__ import annotations

from tests.services.ecs.containers import LOGS, Tasks
from tests.strict_accounts import Account, allow

_PULLING = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:GetAuthorizationToken"]
_LOGGING = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]


class StrictTasks(Tasks):
    """Tasks of an account whose policies bind."""

    def __init__(self, account: Account) -> None:
        account.account = account.number  # type: ignore[attr-defined]
        super().__init__(account)  # type: ignore[arg-type]


def test_the_execution_role_decides(strict_account: Account) -> None:
    tasks = StrictTasks(strict_account)
    role = strict_account.service_role("ecs-tasks", allow(_PULLING), name="mine")
    command = {"command": ["echo", "hello"], "logConfiguration": LOGS}
    ended = tasks.finish(command, executionRoleArn=role)
    assert "AccessDenied" in ended["stoppedReason"]
    assert ended["stoppedReason"].startswith("ResourceInitializationError: failed to validate logger args")
    strict_account.let_role(allow([*_PULLING, *_LOGGING]), name="mine")
    arn = tasks.run(command, executionRoleArn=role)
    tasks.wait(arn, "STOPPED")
    assert tasks.read(arn) == ["hello"]
    strict_account.let_role(allow(_LOGGING), name="mine")
    ended = tasks.finish(command, executionRoleArn=role)
    assert ended["stoppedReason"].startswith("CannotPullContainerError: ")


def test_the_task_role_limits_the_program(strict_account: Account) -> None:
    tasks = StrictTasks(strict_account)
    execution = strict_account.service_role("ecs-tasks", allow([*_PULLING, *_LOGGING]), name="mine")
    role = strict_account.service_role("ecs-tasks", allow("sqs:*"), name="own")
    script = 'wget -q -O - "http://169.254.170.2$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"'
    arn = tasks.run(
        {"command": ["sh", "-c", script], "logConfiguration": LOGS},
        mode="bridge",
        executionRoleArn=execution,
        taskRoleArn=role,
    )
    tasks.wait(arn, "STOPPED")
    (said,) = tasks.read(arn)
    assert f'"RoleArn":"{role}"' in said
    other = strict_account.service_role("lambda", allow("sqs:*"), name="other")
    arn = tasks.run(
        {"command": ["sh", "-c", f"{script} || echo refused"], "logConfiguration": LOGS},
        mode="bridge",
        executionRoleArn=execution,
        taskRoleArn=other,
    )
    tasks.wait(arn, "STOPPED")
    assert tasks.read(arn)[-1] == "refused"
