"""The building block itself; `api.py` gathers its operations."""

from __future__ import annotations

from cloudlet.core import AwsError, Service
from cloudlet.wire import InvalidRequest


def _word_invalid_request(request: InvalidRequest) -> AwsError:
    """Return the error of a request that the model does not admit."""
    return AwsError("ValidationError", request.message)


service = Service(
    "cloudformation",
    invalid_request=_word_invalid_request,
    read_only=("EstimateTemplateCost", "ValidateTemplate"),
    hidden=("ParameterValue", "TemplateBody", "OutputValue"),
    reserved_tag="ValidationError",
)
