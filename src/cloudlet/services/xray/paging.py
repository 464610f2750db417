"""Lists that have one page."""

from __future__ import annotations

from cloudlet.services.xray.errors import invalid


def refuse(token: str | None) -> None:
    """Raise AwsError for a token where the first page is the only one."""
    if token is not None:
        raise invalid("Invalid NextToken")
