"""The errors of SNS in AWS's words."""

from __future__ import annotations

from cloudlet.core import AwsError
from cloudlet.wire.xml_text import readable


def invalid_parameter(what: str, reason: str = "") -> AwsError:
    """A parameter, or something about it, that AWS does not admit."""
    return AwsError("InvalidParameter", f"Invalid parameter: {what}" + (f" Reason: {reason}" if reason else ""))


def check_characters(name: str, text: str) -> None:
    """Raise for a text that no answer could show, since answers are XML."""
    if readable(text) != text:
        raise invalid_parameter(name, "contains characters that are not allowed in XML 1.0")


def in_attributes(error: AwsError) -> AwsError:
    """The error about an attribute, where that is one of the Attributes of a request which creates something."""
    if error.code != "InvalidParameter":
        return error
    return invalid_parameter("Attributes", error.message.removeprefix("Invalid parameter: "))


def without_prefix(error: AwsError) -> AwsError:
    """The same error, worded as some operations do: they do not say what it is about."""
    return AwsError(error.code, error.message.removeprefix("Invalid parameter: "), status=error.status)


def missing(name: str) -> AwsError:
    return invalid_parameter(name, "no value for required parameter")


def invalid_arn(name: str, text: str) -> AwsError:
    """The error for what is no ARN at all, or not one of the wanted kind."""
    elements = text.count(":") + 1
    reason = f"An ARN must have at least 6 elements, not {elements}" if elements < 6 else ""
    return invalid_parameter(name, reason)


def no_such_topic() -> AwsError:
    return AwsError("NotFound", "Topic does not exist")


def no_such_subscription() -> AwsError:
    return AwsError("NotFound", "Subscription does not exist")


def no_such_application() -> AwsError:
    return AwsError("NotFound", "PlatformApplication does not exist")


def no_such_endpoint() -> AwsError:
    return AwsError("NotFound", "Endpoint does not exist")


def no_such_resource() -> AwsError:
    return AwsError("ResourceNotFound", "Resource does not exist")


def not_built(what: str) -> AwsError:
    """The answer to a parameter of AWS's that Cloudlet would have to ignore."""
    return AwsError("NotImplemented", f"Cloudlet does not implement {what}. See docs/services/sns.md.", status=501)
