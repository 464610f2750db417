"""The states of service deployments and the stages of their lifecycles: which follows which.

API reference, ServiceDeployment; developer guide, "Amazon ECS blue/green deployments".
"""

from __future__ import annotations

from typing import Final

PENDING: Final = "PENDING"
IN_PROGRESS: Final = "IN_PROGRESS"
SUCCESSFUL: Final = "SUCCESSFUL"
STOPPED: Final = "STOPPED"
ROLLBACK_REQUESTED: Final = "ROLLBACK_REQUESTED"
ROLLBACK_IN_PROGRESS: Final = "ROLLBACK_IN_PROGRESS"
ROLLBACK_SUCCESSFUL: Final = "ROLLBACK_SUCCESSFUL"
ROLLBACK_FAILED: Final = "ROLLBACK_FAILED"

FOLLOWERS: Final = {
    PENDING: (IN_PROGRESS, STOPPED, ROLLBACK_REQUESTED),
    IN_PROGRESS: (SUCCESSFUL, STOPPED, ROLLBACK_REQUESTED, ROLLBACK_IN_PROGRESS),
    ROLLBACK_REQUESTED: (ROLLBACK_IN_PROGRESS, STOPPED),
    ROLLBACK_IN_PROGRESS: (ROLLBACK_SUCCESSFUL, ROLLBACK_FAILED),
    SUCCESSFUL: (),
    STOPPED: (),
    ROLLBACK_SUCCESSFUL: (),
    ROLLBACK_FAILED: (),
}

FAILURES: Final = (STOPPED, ROLLBACK_SUCCESSFUL, ROLLBACK_FAILED)

ROLLING: Final = "ROLLING"
BLUE_GREEN: Final = "BLUE_GREEN"
LINEAR: Final = "LINEAR"
CANARY: Final = "CANARY"

RECONCILE_SERVICE: Final = "RECONCILE_SERVICE"
PRE_SCALE_UP: Final = "PRE_SCALE_UP"
SCALE_UP: Final = "SCALE_UP"
TEST_TRAFFIC_SHIFT: Final = "TEST_TRAFFIC_SHIFT"
PRE_PRODUCTION_TRAFFIC_SHIFT: Final = "PRE_PRODUCTION_TRAFFIC_SHIFT"
PRODUCTION_TRAFFIC_SHIFT: Final = "PRODUCTION_TRAFFIC_SHIFT"
BAKE_TIME: Final = "BAKE_TIME"
CLEAN_UP: Final = "CLEAN_UP"

STAGES: Final = (
    PRE_SCALE_UP,
    SCALE_UP,
    "POST_SCALE_UP",
    TEST_TRAFFIC_SHIFT,
    "POST_TEST_TRAFFIC_SHIFT",
    PRE_PRODUCTION_TRAFFIC_SHIFT,
    PRODUCTION_TRAFFIC_SHIFT,
    "POST_PRODUCTION_TRAFFIC_SHIFT",
    BAKE_TIME,
    CLEAN_UP,
)
"""The stages of a deployment but a rolling one. RECONCILE_SERVICE comes before them where others have not ended."""


def is_final(status: str) -> bool:
    """Whether nothing follows a state."""
    return not FOLLOWERS[status]


def can_follow(status: str, following: str) -> bool:
    """Whether a state may follow another one."""
    return following in FOLLOWERS[status]


def find_first_stage(is_reconciling: bool) -> str:
    """Return the stage that a deployment begins with."""
    return RECONCILE_SERVICE if is_reconciling else STAGES[0]


def find_next_stage(stage: str, *, has_all_traffic: bool = True) -> str | None:
    """Return the stage that follows; None after the last one.

    Traffic that is shifted in steps goes through two stages with each of them.
    """
    if stage == PRODUCTION_TRAFFIC_SHIFT and not has_all_traffic:
        return PRE_PRODUCTION_TRAFFIC_SHIFT
    following = 0 if stage == RECONCILE_SERVICE else STAGES.index(stage) + 1
    return STAGES[following] if following < len(STAGES) else None


def has_new_tasks(stage: str) -> bool:
    """Whether tasks of the new revision run in a stage."""
    return stage in STAGES and STAGES.index(stage) >= STAGES.index(SCALE_UP)
