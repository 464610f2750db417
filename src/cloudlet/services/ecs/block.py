"""The building block itself; `api.py` gathers its operations."""

from __future__ import annotations

from cloudlet.core import Service
from cloudlet.services.ecs import errors, resource_tags

service = Service(
    "ecs",
    invalid_request=errors.reword,
    internal_failure="ServerException",
    has_files=True,
    namespace="AWS/ECS",
    hidden=("tokenValue",),
    resource_tags=resource_tags.find_tags,
    reserved_tag="InvalidParameterException",
)
