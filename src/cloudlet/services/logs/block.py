"""The building block itself; `api.py` gathers its operations."""

from __future__ import annotations

from cloudlet.core import Service
from cloudlet.services.logs import errors, resource_tags

service = Service(
    "logs",
    namespace="AWS/Logs",
    invalid_request=errors.reword,
    data_events=("PutLogEvents", "GetLogEvents", "FilterLogEvents", "StartLiveTail"),
    decides=("CreateLogStream", "GetLogRecord", "GetQueryResults", "PutLogEvents", "StartQuery"),
    resource_tags=resource_tags.find,
    reserved_tag="InvalidParameterException",
)
