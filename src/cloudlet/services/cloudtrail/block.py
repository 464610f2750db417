"""The building block itself; `api.py` gathers its operations."""

from __future__ import annotations

from cloudlet.core import Service
from cloudlet.services.cloudtrail import resource_tags

service = Service(
    "cloudtrail",
    data_events=("RecordEvents",),
    decides=("CancelQuery", "DescribeQuery", "GetQueryResults", "StartQuery"),
    resource_tags=resource_tags.find,
    reserved_tag="InvalidTagParameterException",
)
