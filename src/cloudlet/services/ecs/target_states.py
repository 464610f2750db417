"""The states of a task's targets in target groups: which follows which.

Developer guide, "Amazon ECS task lifecycle": targets are registered while a task is ACTIVATING, and deregistered while
it is DEACTIVATING.
"""

from __future__ import annotations

from typing import Final

WAITING: Final = "WAITING"
REGISTERED: Final = "REGISTERED"
DRAINING: Final = "DRAINING"
DEREGISTERED: Final = "DEREGISTERED"

FOLLOWERS: Final = {
    WAITING: (REGISTERED, DRAINING, DEREGISTERED),
    REGISTERED: (DRAINING,),
    DRAINING: (DEREGISTERED,),
    DEREGISTERED: (),
}
"""One that waits may have been registered by a killed process: it drains, too."""


def can_follow(state: str, following: str) -> bool:
    """Whether a state may follow another one."""
    return following in FOLLOWERS[state]
