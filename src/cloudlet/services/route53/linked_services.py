"""Zones and health checks that another of AWS's services manages for its user (LinkedService)."""

from __future__ import annotations

from typing import Final

from cloudlet.core import AwsError, Context
from cloudlet.services.route53.zone_record import Zone

_NAMES: Final = {"servicediscovery.amazonaws.com": "AWS Cloud Map"}


def find_manager(ctx: Context) -> tuple[str, str] | None:
    """Return the principal of the service that calls, and a description; None for a user."""
    name = _NAMES.get(ctx.principal.arn) if ctx.principal.kind == "service" else None
    if name is None:
        return None
    return ctx.principal.arn, f"{name} ({ctx.source_arn})" if ctx.source_arn else name


def check_manager(ctx: Context, zone: Zone) -> None:
    """Raise AccessDenied where a service manages a zone that somebody else would change."""
    if zone.linked_service is None or ctx.principal.kind == "service":
        return
    raise AwsError(
        "AccessDenied",
        f"The resource hostedzone/{zone.name} can only be managed through {zone.linked_service[1]}",
        status=403,
    )
