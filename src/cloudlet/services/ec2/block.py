"""The building block itself; `api.py` gathers its operations."""

from __future__ import annotations

from cloudlet.core import AwsError, Service
from cloudlet.services.ec2.errors import word_invalid_request
from cloudlet.services.ec2.registry import find_tags


def _deny(message: str) -> AwsError:
    text = f"You are not authorized to perform this operation. {message}"
    return AwsError("UnauthorizedOperation", text, status=403)


service = Service(
    "ec2",
    invalid_request=word_invalid_request,
    internal_failure="InternalError",
    access_denied=_deny,
    decides=("CreateTags", "DeleteTags"),
    resource_tags=find_tags,
    instead={"RunInstances": "Run containers by Amazon ECS instead (ecs:RunTask, ecs:CreateService)."},
    reserved_tag="InvalidParameterValue",
)
