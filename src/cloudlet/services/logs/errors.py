"""The errors of CloudWatch Logs in AWS's words."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from cloudlet.core import AwsError
from cloudlet.wire import InvalidRequest, WireError
from cloudlet.wire.errors import validation_message

_IDENTIFIER: Final = "logGroupIdentifier"


def invalid(message: str) -> AwsError:
    """A parameter that makes no sense."""
    return AwsError("InvalidParameterException", message)


def invalid_token() -> AwsError:
    """A token that no earlier page has given."""
    return invalid("The specified nextToken is invalid.")


def no_group() -> AwsError:
    return AwsError("ResourceNotFoundException", "The specified log group does not exist.")


def no_stream() -> AwsError:
    return AwsError("ResourceNotFoundException", "The specified log stream does not exist.")


def no_filter() -> AwsError:
    return AwsError("ResourceNotFoundException", "The specified metric filter does not exist.")


def not_built(what: str) -> AwsError:
    """Something that AWS has and Cloudlet has not."""
    return AwsError("NotImplemented", f"Cloudlet does not implement {what}. See docs/services/logs.md.", status=501)


def reword(error: InvalidRequest) -> WireError:
    """Word a request that the model does not admit: here its code is InvalidParameterException."""
    if not error.violations:
        return error
    # AWS does not tell the value of an identifier that is none.
    hidden = [replace(each, is_sensitive=each.is_sensitive or each.path == _IDENTIFIER) for each in error.violations]
    return invalid(validation_message(hidden))
