"""What is looked at in a request as it came, before it is known what the model makes of it."""

from __future__ import annotations

from typing import Final

from cloudlet.services.s3 import errors
from cloudlet.services.s3.object_data import checksums, conditions
from cloudlet.wire import HttpRequest, Operation
from cloudlet.wire.forms import parse_pairs

_OF_OBJECTS: Final = frozenset(("CopyObject", "PutObject"))
_WRITES: Final = _OF_OBJECTS | {"CompleteMultipartUpload"}


def check(operation: Operation, request: HttpRequest) -> None:
    """Raise AwsError for a request that S3 refuses at its face."""
    if request.query and operation.name in _OF_OBJECTS:
        _check_no_part(request.query)
    if operation.name in _WRITES:
        conditions.check_form(request.headers)
    if operation.name == "CompleteMultipartUpload" and "uploadId" not in _names(request.query):
        # That is what a POST to an object is taken for which nothing else is meant by.
        raise errors.method_not_allowed("POST", "OBJECT")
    checksums.check_document(operation, request)


def _check_no_part(query: str) -> None:
    """Refuse what means to upload a part but does not name it: else it would take the object's place."""
    names = _names(query)
    if "uploadId" in names:
        raise errors.method_not_allowed("PUT", "UPLOAD")
    if "partNumber" in names:
        message = "This operation does not accept partNumber without uploadId"
        raise errors.invalid_argument(message, "partNumber", "partNumber")


def _names(query: str) -> set[str]:
    return {name for name, _ in parse_pairs(query)}
