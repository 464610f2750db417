"""The errors of Application Auto Scaling in AWS's words."""

from __future__ import annotations

from cloudlet.core import AwsError
from cloudlet.services.application_autoscaling.place import Place


def validation(message: str) -> AwsError:
    """A request that makes no sense."""
    return AwsError("ValidationException", message)


def wrong_token() -> AwsError:
    return AwsError("InvalidNextTokenException", "Invalid next token.")


def no_target(place: Place) -> AwsError:
    return AwsError("ObjectNotFoundException", f"No scalable target registered for {place.describe()}")


def no_policy(place: Place, name: str) -> AwsError:
    return AwsError("ObjectNotFoundException", f"No scaling policy found for {place.describe()}, policy name: {name}")


def no_scheduled_action(place: Place, name: str) -> AwsError:
    return AwsError(
        "ObjectNotFoundException",
        f"No scheduled action found for {place.describe()}, scheduled action name: {name}",
    )


def no_resource(arn: str) -> AwsError:
    return AwsError("ResourceNotFoundException", f"No scalable target found for resource ARN: {arn}")


def too_many_tags(message: str) -> AwsError:
    return AwsError("TooManyTagsException", message)


def limit_exceeded(message: str) -> AwsError:
    return AwsError("LimitExceededException", message)


def not_built(what: str) -> AwsError:
    """Something that AWS has and Cloudlet has not."""
    return AwsError(
        "ValidationException",
        f"Cloudlet does not implement {what}. See docs/services/application-autoscaling.md.",
    )
