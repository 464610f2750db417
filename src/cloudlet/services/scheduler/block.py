"""The building block itself; `api.py` gathers its operations."""

from __future__ import annotations

from cloudlet.core import Service

service = Service(
    "scheduler",
    namespace="AWS/Scheduler",
    decides=(
        "CreateSchedule",
        "DeleteSchedule",
        "DeleteScheduleGroup",
        "GetSchedule",
        "GetScheduleGroup",
        "ListTagsForResource",
        "TagResource",
        "UntagResource",
        "UpdateSchedule",
    ),
)
