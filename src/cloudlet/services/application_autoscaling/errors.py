"""The errors of Application Auto Scaling in AWS's words."""

from __future__ import annotations

from cloudlet.core import AwsError
from cloudlet.services.application_autoscaling.place import Place


def make_validation(message: str) -> AwsError:
    """Return the error of a request that makes no sense."""
    return AwsError("ValidationException", message)


def make_wrong_token() -> AwsError:
    return AwsError("InvalidNextTokenException", "Invalid next token.")


def make_no_target(place: Place) -> AwsError:
    return AwsError("ObjectNotFoundException", f"No scalable target registered for {place.describe()}")


def make_no_policy(place: Place, name: str) -> AwsError:
    return AwsError("ObjectNotFoundException", f"No scaling policy found for {place.describe()}, policy name: {name}")


def make_no_scheduled_action(place: Place, name: str) -> AwsError:
    return AwsError(
        "ObjectNotFoundException",
        f"No scheduled action found for {place.describe()}, scheduled action name: {name}",
    )


def make_no_resource(arn: str) -> AwsError:
    return AwsError("ResourceNotFoundException", f"No scalable target found for resource ARN: {arn}")


def make_too_many_tags(message: str) -> AwsError:
    return AwsError("TooManyTagsException", message)


def make_limit_exceeded(message: str) -> AwsError:
    return AwsError("LimitExceededException", message)


def make_not_built(what: str) -> AwsError:
    """Return the error of what AWS has and Cloudlet has not."""
    return AwsError(
        "ValidationException",
        f"Cloudlet does not implement {what}. See docs/services/application-autoscaling.md.",
    )
