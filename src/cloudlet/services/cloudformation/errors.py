"""The errors of CloudFormation in AWS's words."""

from __future__ import annotations

from collections.abc import Iterable

from cloudlet.core import AwsError


def make_validation_error(message: str) -> AwsError:
    """Return the error of a request or a template that makes no sense."""
    return AwsError("ValidationError", message)


def make_format_error(message: str) -> AwsError:
    """Return the error of a template that is not put together as templates are."""
    return make_validation_error(f"Template format error: {message}")


def make_template_error(message: str) -> AwsError:
    """Return the error of a template whose functions cannot be evaluated."""
    return make_validation_error(f"Template error: {message}")


def make_stack_not_found(name: str) -> AwsError:
    return make_validation_error(f"Stack [{name}] does not exist")


def make_id_not_found(name: str) -> AwsError:
    """Return what some operations that look at stacks answer instead."""
    return make_validation_error(f"Stack with id {name} does not exist")


def make_already_exists(name: str) -> AwsError:
    return AwsError("AlreadyExistsException", f"Stack [{name}] already exists")


def make_change_set_not_found(name: str) -> AwsError:
    return AwsError("ChangeSetNotFound", f"ChangeSet [{name}] does not exist")


def make_wrong_state(stack_id: str, status: str, what: str) -> AwsError:
    return make_validation_error(f"Stack:{stack_id} is in {status} state and can not be {what}.")


def make_no_updates() -> AwsError:
    return make_validation_error("No updates are to be performed.")


def make_missing_capabilities(names: Iterable[str]) -> AwsError:
    return AwsError("InsufficientCapabilitiesException", f"Requires capabilities : [{', '.join(names)}]")


def make_wrong_token() -> AwsError:
    return make_validation_error("Invalid NextToken.")


def make_not_built(what: str) -> AwsError:
    """Return the error of something that AWS has and Cloudlet has not."""
    return AwsError(
        "NotImplemented", f"Cloudlet does not implement {what}. See docs/services/cloudformation.md.", status=501
    )
