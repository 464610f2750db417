"""The errors of SQS in AWS's words, and AWS's words for requests that the model does not admit."""

from __future__ import annotations

from typing import Any

from cloudlet.core import AwsError
from cloudlet.wire import InvalidRequest, Violation, WireError
from cloudlet.wire.protocols import FORMS

_ALLOWED_CHARACTERS = "#x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF]"
_ENTRY_NAMES = {
    "SendMessageBatch": "SendMessageBatchRequestEntry",
    "DeleteMessageBatch": "DeleteMessageBatchRequestEntry",
    "ChangeMessageVisibilityBatch": "ChangeMessageVisibilityBatchRequestEntry",
}


def invalid_parameter(message: str) -> AwsError:
    return AwsError("InvalidParameterValue", message, status=400)


def invalid_value(name: str, value: Any, reason: str) -> AwsError:
    return invalid_parameter(f"Value {value} for parameter {name} is invalid. Reason: {reason}")


def missing(name: str) -> AwsError:
    return AwsError("MissingParameter", f"The request must contain the parameter {name}.", status=400)


def wrong_queue_type(name: str, value: Any) -> AwsError:
    return invalid_value(name, value, "The request include parameter that is not valid for this queue type.")


def unknown_attribute(name: str) -> AwsError:
    return AwsError("InvalidAttributeName", f"Unknown Attribute {name}.")


def invalid_attribute(name: str) -> AwsError:
    return AwsError("InvalidAttributeValue", f"Invalid value for the parameter {name}.")


def no_such_queue(protocol: str) -> AwsError:
    suffix = " for this wsdl version" if protocol in FORMS else ""
    return AwsError("QueueDoesNotExist", f"The specified queue does not exist{suffix}.")


def no_such_resource(name: str) -> AwsError:
    return AwsError(
        "ResourceNotFoundException", f"The resource that you specified for the {name} parameter doesn't exist."
    )


def deleted_recently() -> AwsError:
    return AwsError(
        "QueueDeletedRecently",
        "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
    )


def too_long(limit: int) -> AwsError:
    return invalid_parameter(f"One or more parameters are invalid. Reason: Message must be shorter than {limit} bytes.")


def invalid_contents(character: str) -> AwsError:
    return AwsError(
        "InvalidMessageContents",
        f"Invalid binary character '{character}' was found in the message body, "
        f"the set of allowed characters is {_ALLOWED_CHARACTERS}.",
    )


def unknown_system_attribute(name: str) -> AwsError:
    return invalid_parameter(
        f"Message system attribute name '{name}' is invalid. You can only use the following names: [AWSTraceHeader]."
    )


def no_attribute_type(what: str) -> AwsError:
    return invalid_parameter(f"The {what} must contain non-empty message attribute type.")


def invalid_handle(handle: str) -> AwsError:
    return AwsError("ReceiptHandleIsInvalid", f'The input receipt handle "{handle}" is not a valid receipt handle.')


def expired_handle(handle: str) -> AwsError:
    return invalid_value("ReceiptHandle", handle, "The receipt handle has expired.")


def not_changeable(handle: str) -> AwsError:
    return invalid_value(
        "ReceiptHandle", handle, "Message does not exist or is not available for visibility timeout change."
    )


def empty_batch(operation: str) -> AwsError:
    return AwsError("EmptyBatchRequest", f"There should be at least one {_ENTRY_NAMES[operation]} in the request.")


def reword(request: InvalidRequest) -> WireError:
    """Return the error that SQS answers where other services speak of validation errors."""
    entries = _ENTRY_NAMES.get(request.operation, "") if request.protocol in FORMS else ""
    for violation in request.violations:
        if entries and violation.path == "entries" and violation.kind == "required":
            # A list without anything in it is not there, in a form.
            return empty_batch(request.operation)
        error = _reworded(violation, entries or "Entries")
        if error is not None:
            return error
    return request


def _reworded(violation: Violation, entries: str) -> AwsError | None:
    if violation.kind == "required":
        return _missing_member(violation, entries)
    if violation.kind == "enum":
        values = violation.value if isinstance(violation.value, list | tuple | dict) else [violation.value]
        wrong = next((value for value in values if value not in violation.limit), "")
        if violation.member == "MessageSystemAttributes":
            return unknown_system_attribute(wrong)
        return unknown_attribute(wrong)
    return None


def _missing_member(violation: Violation, entries: str) -> AwsError:
    """Return the error about a member that a request lacks; that of a structure in a list or map too.

    `entries` is what the entries of a batch are called in the protocol of the request.
    """
    names = violation.path.split(".")
    if names[-1] == "dataType" and violation.member in ("MessageAttributes", "MessageSystemAttributes"):
        return no_attribute_type(f"message attribute '{'.'.join(names[1:-2])}'")
    shown = [name[:1].upper() + name[1:] for name in names if name != "member"]
    return missing(".".join([entries if name == "Entries" else name for name in shown]))
