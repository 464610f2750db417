"""The one error that a service raises."""

from __future__ import annotations

from typing import Any

from cloudlet.wire import WireError
from cloudlet.wire.xml_text import readable


class AwsError(WireError):
    """An error as AWS's API reference names it.

    `code` is the name of the error's shape in the model, or a common error's code. The HTTP status and the form on
    the wire come from the model; `status` is for codes that no model has. `fields` are further members of the shape.
    """

    def __init__(self, code: str, message: str, *, status: int | None = None, **fields: Any) -> None:
        super().__init__(code, message, status=status, fields=fields)

    def of_entry(self, entry: str) -> dict[str, Any]:
        """Return what a batch answers for its entry with this id, by its caller's fault (BatchResultErrorEntry)."""
        return {"Id": entry, "SenderFault": True, "Code": self.code, "Message": readable(self.message)}


def not_implemented(service: str, operation: str, instead: str = "") -> AwsError:
    """Return the error of an operation that is not built; `instead` is what to do."""
    hint = instead or f"`cloudlet coverage {service}` lists what it does."
    return AwsError(
        "NotImplemented",
        f"Cloudlet does not implement {service}:{operation}. {hint}",
        status=501,
    )


def make_internal_only(operation: str) -> AwsError:
    """Return the error of an internal operation for a caller that is no block."""
    return AwsError("AccessDeniedException", f"{operation} is for Cloudlet's blocks.", status=403)


def internal_failure(request_id: str, code: str = "InternalFailure") -> AwsError:
    """Return the error of a fault of our own, which the log tells under the request's id."""
    return AwsError(code, f"An internal error occurred (request {request_id}).", status=500)


def unavailable() -> AwsError:
    """Return the error of a block that cannot reach its data."""
    return AwsError("ServiceUnavailable", "The service is temporarily unavailable. Try again.", status=503)
