"""Call others as a session of a role that a service was given, as EventBridge Scheduler and Pipes do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudlet.core.authorization.permissions import NOTHING
from cloudlet.core.aws.arn import Arn
from cloudlet.core.kernel.errors import AwsError
from cloudlet.core.kernel.identity import Principal
from cloudlet.core.kernel.session_details import SessionDetails

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block


def check_role(account: str, role: str) -> None:
    """Raise AwsError unless somebody of an account may give a role to a service (IAM User Guide, "iam:PassRole")."""
    if Arn.parse(role).account != account:
        raise AwsError("AccessDeniedException", "Cross-account pass role is not allowed.", status=403)


def make_session(role: str, name: str, by: str = "", source_arn: str = "") -> Principal:
    """Return the session, of some name, of a role.

    `by` is the service principal of a service that calls by it, `source_arn` the resource for which it does, as the
    role's trust policy may ask. Raises ValueError for what is no ARN.
    """
    arn = Arn.parse(role)
    path = arn.resource.rpartition("/")[2]
    session = f"arn:{arn.partition}:sts::{arn.account}:assumed-role/{path}/{name}"
    return Principal(
        "assumed-role",
        arn.account,
        session,
        f"{path}:{name}",
        invoked_by=by,
        session=SessionDetails(issuer=role),
        assumed_by=by,
        assumed_for=source_arn,
    )


async def is_assumable(block: Block, session: Principal) -> bool:
    """Whether a service may act by a role: the role is there and trusts the service.

    Where permissions are not enforced, every role is. Raises AwsError where IAM does not answer.
    """
    return not block.is_strict or await block.cloud.permissions.load(session) is not NOTHING
