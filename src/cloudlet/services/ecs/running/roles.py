"""The roles of tasks: ECS calls by one, and programs get sessions of the other.

Developer guide, "Amazon ECS task execution IAM role", "Amazon ECS task IAM role" and, for tasks without the former on
an instance, "Amazon ECS container instance IAM role".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cloudlet.core import Arn, AwsError
from cloudlet.core.authorization.permissions import NOTHING
from cloudlet.core.authorization.role_session import make_session
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.kernel.identity import Principal
from cloudlet.core.kernel.session_details import SessionDetails
from cloudlet.services.ecs.task_record import Task

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

_TASKS: Final = "ecs-tasks.amazonaws.com"
_INSTANCES: Final = "ec2.amazonaws.com"
_INSTANCE_ROLE: Final = "ecsInstanceRole"


def make_role_arn(task: Task, role: str) -> str:
    """Return the ARN of a role by that, or by its name."""
    if role.startswith("arn:"):
        return role
    return str(Arn(partition_of(task.region), "iam", "", task.account, f"role/{role}"))


def make_execution_session(task: Task) -> Principal:
    """Return the session by which ECS calls for a task.

    It is of the execution role, or of that of the container instance.
    """
    if task.execution_role:
        return make_session(make_role_arn(task, task.execution_role), task.id, by=_TASKS, source_arn=task.arn)
    return make_session(make_role_arn(task, _INSTANCE_ROLE), task.id, by=_INSTANCES)


async def call(
    block: Block, task: Task, service: str, operation: str, params: dict[str, Any], *, region: str = ""
) -> dict[str, Any]:
    """Call a service for a task by its execution role. Raises AwsError."""
    answer = await block.cloud.call(
        service,
        operation,
        params,
        principal=make_execution_session(task),
        account=task.account,
        region=region or task.region,
    )
    return dict(answer or {})


async def open_task_session(block: Block, task: Task) -> Principal:
    """Return the session of a task's role that its programs get. Raises AwsError where ECS may not assume it."""
    role = make_role_arn(task, task.task_role)
    session = make_session(role, task.id, by=_TASKS, source_arn=task.arn)
    user_id = session.user_id
    if block.is_strict:
        permissions = await block.cloud.permissions.load(session)
        if permissions is NOTHING:
            text = f"ECS was unable to assume the role '{role}' that was provided for this task."
            raise AwsError("AccessDeniedException", text, status=403)
        user_id = f"{permissions.role_id}:{task.id}"
    details = SessionDetails(issuer=role, issued_at=block.clock.now())
    return Principal("assumed-role", session.account, session.arn, user_id, session=details)
