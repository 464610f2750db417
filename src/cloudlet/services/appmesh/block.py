"""The building block itself; `api.py` gathers its operations."""

from __future__ import annotations

from cloudlet.core import Service
from cloudlet.core.aws import tag_operations
from cloudlet.services.appmesh import errors

service = Service(
    "appmesh",
    invalid_request=errors.reword,
    resource_tags=tag_operations.find_tags,
    reserved_tag="BadRequestException",
)
