"""The rules for roles that requests name.

They are of the account, or ECS would act for others than its caller.
"""

from __future__ import annotations

import re
from typing import Final

from cloudlet.core import AwsError, Context, Params
from cloudlet.core.authorization import catalog, targets
from cloudlet.core.authorization.role_session import check_role
from cloudlet.services.ecs import errors
from cloudlet.services.ecs.block import service

_ARN: Final = re.compile(r"arn:[a-z-]+:iam::\d{12}:role/.+", re.ASCII)
_NAME: Final = re.compile(r"[\w+=,.@/-]{0,576}", re.ASCII)
_BY_NAME: Final = ("role", "taskRoleArn", "executionRoleArn")
"""The members that may have a name instead of an ARN, or nothing."""


def check(ctx: Context, operation: str, params: Params) -> None:
    """Raise AwsError for a role that is none, or that is another account's."""
    for path in catalog.find(service.name, operation).pass_role:
        member = path.rpartition(".")[2]
        for role in targets.read(params, path):
            if _ARN.fullmatch(role):
                check_role(ctx.account, role)
            elif member not in _BY_NAME or not _NAME.fullmatch(role):
                raise errors.InvalidParameter(f"The specified {member} is not valid.")


def check_definition(ctx: Context, operation: str, params: Params) -> None:
    """Raise ClientException for a role that the tasks of a task definition cannot have."""
    try:
        check(ctx, operation, params)
    except AwsError:
        raise errors.ClientError("Role is not valid") from None
