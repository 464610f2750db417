"""The health of instances: what they were told to have, or what Route 53 finds."""

from __future__ import annotations

from typing import Final

from cloudlet.core import AwsError
from cloudlet.core.kernel.block import Block
from cloudlet.services.servicediscovery.attributes import HEALTHY, UNHEALTHY
from cloudlet.services.servicediscovery.map_record import DiscoveryService, Instance

UNKNOWN: Final = "UNKNOWN"
_REGION: Final = "us-east-1"


def has_health(found: DiscoveryService) -> bool:
    """Whether the instances of a service have a health that is known."""
    return found.has_custom_health or found.health_check is not None


async def read_health(block: Block, found: DiscoveryService, instance: Instance) -> str:
    """Return the health of an instance; without a health check it is not known."""
    if found.has_custom_health:
        return instance.custom_health
    if not instance.health_check:
        return UNKNOWN
    try:
        shown = await block.call(
            "route53",
            "GetHealthCheckStatus",
            {"HealthCheckId": instance.health_check},
            account=instance.account,
            region=_REGION,
        )
    except AwsError as error:
        if error.code == "NoSuchHealthCheck":
            return UNKNOWN
        raise
    reports = [each["StatusReport"]["Status"] for each in (shown or {}).get("HealthCheckObservations") or ()]
    if not reports:
        return UNKNOWN
    return HEALTHY if any(report.startswith("Success") for report in reports) else UNHEALTHY
