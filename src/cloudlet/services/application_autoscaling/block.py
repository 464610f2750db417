"""The building block itself; `api.py` gathers its operations."""

from __future__ import annotations

from cloudlet.core import Service
from cloudlet.core.aws import tag_operations

service = Service(
    "application-autoscaling",
    # The ARN of its target, and so that one's tags, are not in the request.
    decides=("DeregisterScalableTarget",),
    resource_tags=tag_operations.find_tags,
)
