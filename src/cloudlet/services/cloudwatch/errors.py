"""The errors of CloudWatch in AWS's words."""

from __future__ import annotations

from cloudlet.core import AwsError


def invalid_value(message: str) -> AwsError:
    """A value that the operation does not take."""
    return AwsError("InvalidParameterValueException", message)


def invalid_combination(message: str) -> AwsError:
    """Parameters that do not go together."""
    return AwsError("InvalidParameterCombinationException", message)


def missing(name: str) -> AwsError:
    """A parameter that is not there."""
    return AwsError("MissingRequiredParameterException", f"The parameter {name} is required.")


def validation(message: str) -> AwsError:
    """What most operations answer to a request that makes no sense."""
    return AwsError("ValidationException", message)


def too_many_points(most: int) -> AwsError:
    """A request whose series would have too many datapoints together."""
    return validation(
        f"The request is for more than {most:,} datapoints. You may reduce the datapoints requested by increasing "
        "Period, or decreasing the time range."
    )


def invalid_token() -> AwsError:
    """A token that no earlier page has given."""
    return AwsError("InvalidNextToken", "The next token specified is invalid.")


def not_built(what: str) -> AwsError:
    """Something that AWS has and Cloudlet has not."""
    return AwsError(
        "NotImplemented", f"Cloudlet does not implement {what}. See docs/services/cloudwatch.md.", status=501
    )
