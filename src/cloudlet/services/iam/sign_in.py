"""Sessions of a console, which Cloudlet does not have."""

from __future__ import annotations

from cloudlet.core import AwsError, Params


def refuse_durations(params: Params) -> None:
    """Raise AwsError for a request that says how long sessions of a console last."""
    for member in ("MaxSigninSessionDuration", "ResetMaxSigninSessionDuration"):
        if params.get(member):
            message = f"Cloudlet does not implement {member}. See docs/services/iam.md."
            raise AwsError("NotImplemented", message, status=501)
