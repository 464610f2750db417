"""Who a service is that acts by a role which it was given, as EventBridge Scheduler and Pipes do."""

from __future__ import annotations

from cloudlet.core.aws.arn import Arn
from cloudlet.core.kernel.errors import AwsError
from cloudlet.core.kernel.identity import Principal
from cloudlet.core.kernel.session_details import SessionDetails


def check_role(account: str, role: str) -> None:
    """Raise AwsError unless somebody of an account may give a role to a service (IAM User Guide, "iam:PassRole")."""
    if Arn.parse(role).account != account:
        raise AwsError("AccessDeniedException", "Cross-account pass role is not allowed.", status=403)


def make_session(role: str, name: str, by: str = "") -> Principal:
    """Return the session, of some name, of a role; `by` is the service principal of a service that calls by it."""
    arn = Arn.parse(role)
    path = arn.resource.rpartition("/")[2]
    session = f"arn:{arn.partition}:sts::{arn.account}:assumed-role/{path}/{name}"
    details = SessionDetails(issuer=role)
    return Principal("assumed-role", arn.account, session, f"{path}:{name}", invoked_by=by, session=details)
