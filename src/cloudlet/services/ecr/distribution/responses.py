"""The registry's answers that are errors. Distribution specification, "Error Codes"."""

from __future__ import annotations

from typing import Final

import msgspec

from cloudlet.core import AwsError
from cloudlet.wire import HttpResponse

API_VERSION: Final = ("docker-distribution-api-version", "registry/2.0")
Headers = list[tuple[str, str]]

_CODES: Final = {
    "AccessDeniedException": ("DENIED", 403),
    "EmptyUploadException": ("BLOB_UPLOAD_INVALID", 400),
    "ImageDigestDoesNotMatchException": ("DIGEST_INVALID", 400),
    "ImageNotFoundException": ("MANIFEST_UNKNOWN", 404),
    "ImageTagAlreadyExistsException": ("TAG_INVALID", 400),
    "InvalidLayerException": ("DIGEST_INVALID", 400),
    "InvalidLayerPartException": ("BLOB_UPLOAD_INVALID", 416),
    "InvalidParameterException": ("MANIFEST_INVALID", 400),
    "KmsException": ("DENIED", 400),
    "LayersNotFoundException": ("BLOB_UNKNOWN", 404),
    "LimitExceededException": ("TOOMANYREQUESTS", 429),
    "ReferencedImagesNotFoundException": ("MANIFEST_BLOB_UNKNOWN", 400),
    "RepositoryNotFoundException": ("NAME_UNKNOWN", 404),
    "UnableToGetUpstreamImageException": ("MANIFEST_UNKNOWN", 404),
    "UploadNotFoundException": ("BLOB_UPLOAD_UNKNOWN", 404),
}
"""The API's errors → code and status of the protocol's."""


class ProtocolError(Exception):
    """A request that the protocol does not allow."""

    def __init__(self, code: str, message: str, status: int, headers: Headers | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.headers = headers or []

    def to_response(self) -> HttpResponse:
        """Return the response that tells of it."""
        body = {"errors": [{"code": self.code, "message": str(self)}]}
        headers = [("content-type", "application/json; charset=utf-8"), API_VERSION, *self.headers]
        return HttpResponse(self.status, headers, msgspec.json.encode(body))


def translate(error: AwsError) -> ProtocolError:
    """Return an error of the API as one of the protocol's."""
    code, status = _CODES.get(error.code, ("UNKNOWN", error.status or 500))
    return ProtocolError(code, error.message, status)
