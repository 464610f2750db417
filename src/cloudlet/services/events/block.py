"""The building block itself; `api.py` gathers its operations."""

from __future__ import annotations

from cloudlet.core import Service
from cloudlet.core.aws import tag_operations
from cloudlet.services.events import access

service = Service(
    "events",
    namespace="AWS/Events",
    data_events=("InvokeApiDestination", "PutEvents"),
    decides=access.ACTIONS,
    resource_tags=tag_operations.find_tags,
)
