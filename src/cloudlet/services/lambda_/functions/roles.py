"""Roles of functions: Lambda calls by them, and functions get sessions of them.

Where permissions are enforced, a role has to be there and to trust Lambda: developer guide, "Defining Lambda function
permissions with an execution role".
"""

from __future__ import annotations

from typing import Final

from cloudlet.core import Arn, AwsError, Context
from cloudlet.core.authorization.permissions import NOTHING
from cloudlet.core.authorization.role_session import is_assumable, make_session
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import Principal
from cloudlet.core.kernel.session_details import SessionDetails
from cloudlet.services.lambda_ import errors
from cloudlet.services.lambda_.functions.function import Place, Version

_LAMBDA: Final = "lambda.amazonaws.com"
_NOT_ASSUMED: Final = "The role defined for the function cannot be assumed by Lambda."
_SENDING: Final = {"sqs": ("SendMessage", "SQS"), "sns": ("Publish", "SNS")}


def make_lambda_session(place: Place, role: str) -> Principal:
    """Return the session of a function's role by which Lambda itself calls for it."""
    return make_session(role, place.session, by=_LAMBDA, source_arn=place.arn)


async def check(block: Block, place: Place, role: str) -> None:
    """Raise AwsError unless Lambda can assume a role."""
    if not await is_assumable(block, make_lambda_session(place, role)):
        raise errors.invalid(_NOT_ASSUMED)


async def check_dead_letter(ctx: Context, version: Version) -> None:
    """Raise AwsError where a function's role may not send to its dead-letter queue or topic."""
    if not (ctx.strict and version.dead_letter):
        return
    session = make_lambda_session(version.place, version.role)
    permissions = await ctx.block.cloud.permissions.load(session)
    target = Arn.parse(version.dead_letter)
    operation, name = _SENDING[target.service]
    as_role = ctx.act_as(session, session.account)
    # What a policy of another account's queue or topic says besides shows when something is sent.
    if not permissions.allows(as_role, f"{target.service}:{operation}", str(target), session.account):
        raise errors.invalid(f"The provided execution role does not have permissions to call {operation} on {name}")


async def open_session(block: Block, version: Version) -> Principal:
    """Return the session of a version's role that the function itself gets. Raises AwsError."""
    place, role = version.place, version.role
    session = make_lambda_session(place, role)
    user_id = session.user_id
    if block.is_strict:
        permissions = await block.cloud.permissions.load(session)
        if permissions is NOTHING:
            raise AwsError("AccessDeniedException", _NOT_ASSUMED, status=403)
        user_id = f"{permissions.role_id}:{place.session}"
    details = SessionDetails(issuer=role, issued_at=block.clock.now(), keys={"lambda:SourceFunctionArn": place.arn})
    return Principal("assumed-role", session.account, session.arn, user_id, session=details)
