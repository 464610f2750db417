"""The building block itself; `api.py` gathers its operations."""

from __future__ import annotations

from cloudlet.core import AwsError, Service
from cloudlet.core.aws import tag_operations
from cloudlet.wire import HttpRequest, Operation

_MOST_PUT_BYTES = 1 << 20
"""Of a PutMetricData as it is sent, compressed or not (API reference, "PutMetricData")."""


def _check_size(operation: Operation, request: HttpRequest) -> None:
    """Raise AwsError for a request that is too large."""
    body = request.body
    if operation.name == "PutMetricData" and isinstance(body, bytes) and len(body) > _MOST_PUT_BYTES:
        raise AwsError("RequestEntityTooLarge", "A PutMetricData request has 1 MB at most.", status=413)


service = Service(
    "cloudwatch",
    check_request=_check_size,
    resource_tags=tag_operations.find_tags,
    data_events=("GetMetricData", "GetMetricStatistics", "GetMetricWidgetImage", "ListMetrics", "PutMetricData"),
    reserved_tag="InvalidParameterValueException",
)
