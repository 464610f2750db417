"""The building block itself; `api.py` gathers its operations."""

from __future__ import annotations

from cloudlet.core import Service
from cloudlet.core.aws import tag_operations

service = Service(
    "elbv2", resource_tags=tag_operations.find_tags, hidden=("ClientSecret",), reserved_tag="ValidationError"
)
