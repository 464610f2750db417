"""The building block itself; `api.py` gathers its operations."""

from __future__ import annotations

from cloudlet.core import Service
from cloudlet.core.aws import tag_operations

service = Service(
    "xray",
    data_events=(
        "BatchGetTraces",
        "CancelTraceRetrieval",
        "GetRetrievedTracesGraph",
        "GetSamplingTargets",
        "GetServiceGraph",
        "GetTimeSeriesServiceStatistics",
        "GetTraceGraph",
        "GetTraceSummaries",
        "ListRetrievedTraces",
        "PutSpans",
        "PutTelemetryRecords",
        "PutTraceSegments",
        "StartTraceRetrieval",
    ),
    decides=("DeleteGroup", "GetGroup", "UpdateGroup"),
    resource_tags=tag_operations.find_tags,
    reserved_tag="InvalidRequestException",
)
