"""The building block itself; `api.py` gathers its operations."""

from __future__ import annotations

from cloudlet.core import Service
from cloudlet.core.aws import tag_operations

service = Service(
    "servicediscovery",
    resource_tags=tag_operations.find_tags,
    read_only=("DiscoverInstances", "DiscoverInstancesRevision"),
    reserved_tag="InvalidInput",
)
