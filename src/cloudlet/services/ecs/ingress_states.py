"""The states of what ECS makes for Express services and gateways: which follows which.

API reference, ManagedResourceStatus, GatewayRoute, Gateway and GatewayClusterAssociationSummary.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PROVISIONING: Final = "PROVISIONING"
ACTIVE: Final = "ACTIVE"
DEPROVISIONING: Final = "DEPROVISIONING"
DELETED: Final = "DELETED"
FAILED: Final = "FAILED"

OF_RESOURCES: Final[Mapping[str, tuple[str, ...]]] = {
    PROVISIONING: (ACTIVE, FAILED, DEPROVISIONING),
    FAILED: (ACTIVE, DEPROVISIONING),
    ACTIVE: (DEPROVISIONING,),
    DEPROVISIONING: (DELETED, FAILED),
    DELETED: (),
}
"""The states of load balancers, target groups and all else that is managed."""

CREATE_IN_PROGRESS: Final = "CREATE_IN_PROGRESS"
CREATE_FAILED: Final = "CREATE_FAILED"
UPDATE_IN_PROGRESS: Final = "UPDATE_IN_PROGRESS"
UPDATE_FAILED: Final = "UPDATE_FAILED"
DELETE_IN_PROGRESS: Final = "DELETE_IN_PROGRESS"
DELETE_FAILED: Final = "DELETE_FAILED"

OF_ROUTES: Final[Mapping[str, tuple[str, ...]]] = {
    CREATE_IN_PROGRESS: (ACTIVE, CREATE_FAILED, DELETE_IN_PROGRESS),
    CREATE_FAILED: (ACTIVE, DELETE_IN_PROGRESS),
    ACTIVE: (UPDATE_IN_PROGRESS, DELETE_IN_PROGRESS),
    UPDATE_IN_PROGRESS: (ACTIVE, UPDATE_FAILED, DELETE_IN_PROGRESS),
    UPDATE_FAILED: (ACTIVE, UPDATE_IN_PROGRESS, DELETE_IN_PROGRESS),
    DELETE_IN_PROGRESS: (DELETE_FAILED,),
    DELETE_FAILED: (DELETE_IN_PROGRESS,),
}
"""The states of gateway routes. One that is deleted is gone."""

UPDATE_COMPLETE: Final = "UPDATE_COMPLETE"

OF_GATEWAYS: Final[Mapping[str, tuple[str, ...]]] = {
    ACTIVE: (UPDATE_IN_PROGRESS, DELETED),
    UPDATE_IN_PROGRESS: (UPDATE_COMPLETE, UPDATE_FAILED),
    UPDATE_COMPLETE: (UPDATE_IN_PROGRESS, DELETED),
    UPDATE_FAILED: (UPDATE_IN_PROGRESS, UPDATE_COMPLETE, DELETED),
    DELETED: (),
}
"""The states of gateways."""

DISASSOCIATING: Final = "DISASSOCIATING"
INACTIVE: Final = "INACTIVE"

OF_ASSOCIATIONS: Final[Mapping[str, tuple[str, ...]]] = {
    ACTIVE: (DISASSOCIATING,),
    DISASSOCIATING: (ACTIVE, INACTIVE),
    INACTIVE: (),
}
"""The states of associations of gateways with clusters."""


def find_resource_status(arn: str, failure: str, *, is_leaving: bool) -> str:
    """Return the state of a managed resource, which has an ARN once it is made."""
    if is_leaving:
        return DEPROVISIONING if arn else DELETED
    if arn:
        return ACTIVE
    return FAILED if failure else PROVISIONING


def find_route_status(failure: str, *, is_made: bool, is_changing: bool, is_leaving: bool) -> str:
    """Return the state of a gateway route."""
    if is_leaving:
        return DELETE_FAILED if failure else DELETE_IN_PROGRESS
    if not is_made:
        return CREATE_FAILED if failure else CREATE_IN_PROGRESS
    if is_changing:
        return UPDATE_FAILED if failure else UPDATE_IN_PROGRESS
    return ACTIVE
