"""The states of container instances, capacity providers and daemons: which follows which.

API reference, ContainerInstance, CapacityProvider and DaemonDetail. Deployments of daemons go through the states of
`deployment_states`, as those of services do.
"""

from __future__ import annotations

from typing import Final

REGISTERING: Final = "REGISTERING"
ACTIVE: Final = "ACTIVE"
DRAINING: Final = "DRAINING"
DEPROVISIONING: Final = "DEPROVISIONING"
DELETE_IN_PROGRESS: Final = "DELETE_IN_PROGRESS"

INSTANCES: Final = {
    REGISTERING: (ACTIVE, DRAINING),
    ACTIVE: (DRAINING, REGISTERING),
    DRAINING: (ACTIVE,),
}
"""A container instance.

One of a capacity provider does not come back from DRAINING: it goes once it is empty. It registers again where all of
the machine's tasks have ended.
"""

PROVIDERS: Final = {ACTIVE: (DEPROVISIONING,), DEPROVISIONING: ()}
"""A capacity provider, which is gone once its instances are."""

DAEMONS: Final = {ACTIVE: (DELETE_IN_PROGRESS,), DELETE_IN_PROGRESS: ()}
"""A daemon, which is gone once no instance has it."""


def can_update_instance(status: str, following: str, *, is_managed: bool) -> bool:
    """Whether users may bring a container instance from one state to another."""
    if following == status:
        return status in (ACTIVE, DRAINING)
    return following in INSTANCES[status] and status != REGISTERING and not (is_managed and status == DRAINING)
