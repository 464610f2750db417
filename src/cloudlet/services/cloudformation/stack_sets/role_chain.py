"""The two roles by which a stack set works in another account.

User guide, "Grant self-managed permissions": the administrator's role takes the execution role of the target account.
"""

from __future__ import annotations

from typing import Final

from cloudlet.core import AwsError
from cloudlet.core.authorization.role_session import is_assumable, make_session
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.aws.resources.failures import ReasonedError, is_transient
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import Principal
from cloudlet.services.cloudformation.stack_sets.stack_set_record import Operation, StackSet

ADMINISTRATION: Final = "AWSCloudFormationStackSetAdministrationRole"
EXECUTION: Final = "AWSCloudFormationStackSetExecutionRole"
BY: Final = "cloudformation.amazonaws.com"
_MAX_SESSION_NAME_CHARACTERS: Final = 64


def get_administration_role(stack_set: StackSet, given: str) -> str:
    """Return the ARN of the administrator's role."""
    return given or f"arn:{partition_of(stack_set.region)}:iam::{stack_set.account}:role/{ADMINISTRATION}"


async def take_execution_role(block: Block, stack_set: StackSet, operation: Operation, account: str) -> Principal:
    """Return the session by which stacks are made in an account. Raises ReasonedError where roles do not allow it.

    Where permissions are not enforced, every role is there.
    """
    name = operation.execution_role or EXECUTION
    role = f"arn:{partition_of(stack_set.region)}:iam::{account}:role/{name}"
    session_name = f"StackSet-{stack_set.name}"[:_MAX_SESSION_NAME_CHARACTERS]
    if not block.is_strict:
        return make_session(role, session_name, BY)
    administration = get_administration_role(stack_set, operation.administration_role)
    administrator = make_session(administration, session_name, BY, stack_set.arn)
    if not await is_assumable(block, administrator):
        raise ReasonedError(f"Role {administration} is invalid or cannot be assumed")
    params = {"RoleArn": role, "RoleSessionName": session_name}
    try:
        answer = await block.cloud.call(
            "sts", "AssumeRole", params, principal=administrator, account=stack_set.account, region=stack_set.region
        )
    except AwsError as error:
        if is_transient(error):
            raise
        raise ReasonedError(
            f"Account {account} should have '{name}' role with trust relationship to Role "
            f"'{administration.rpartition('/')[2]}'."
        ) from None
    token: str = (answer or {})["Credentials"]["SessionToken"]
    return block.cloud.tokens.open(token).principal.called_by(BY)
