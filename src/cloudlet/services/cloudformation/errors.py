"""The errors of CloudFormation in AWS's words."""

from __future__ import annotations

from collections.abc import Iterable

from cloudlet.core import AwsError


def validation(message: str) -> AwsError:
    """A request or a template that makes no sense."""
    return AwsError("ValidationError", message)


def format_error(message: str) -> AwsError:
    """A template that is not put together as templates are."""
    return validation(f"Template format error: {message}")


def template_error(message: str) -> AwsError:
    """A template whose functions cannot be evaluated."""
    return validation(f"Template error: {message}")


def stack_not_found(name: str) -> AwsError:
    return validation(f"Stack with id {name} does not exist")


def already_exists(name: str) -> AwsError:
    return AwsError("AlreadyExistsException", f"Stack [{name}] already exists")


def change_set_not_found(name: str) -> AwsError:
    return AwsError("ChangeSetNotFound", f"ChangeSet [{name}] does not exist")


def wrong_state(stack_id: str, status: str, what: str) -> AwsError:
    return validation(f"Stack:{stack_id} is in {status} state and can not be {what}.")


def no_updates() -> AwsError:
    return validation("No updates are to be performed.")


def needs_capabilities(names: Iterable[str]) -> AwsError:
    return AwsError("InsufficientCapabilitiesException", f"Requires capabilities : [{', '.join(names)}]")


def wrong_token() -> AwsError:
    return validation("Invalid NextToken.")


def token_in_use(token: str) -> AwsError:
    return AwsError("TokenAlreadyExistsException", f"ClientRequestToken [{token}] was used by another operation")


def not_built(what: str) -> AwsError:
    """Something that AWS has and Cloudlet has not."""
    return AwsError(
        "NotImplemented", f"Cloudlet does not implement {what}. See docs/services/cloudformation.md.", status=501
    )
