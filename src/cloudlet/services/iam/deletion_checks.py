"""Checks of what users must lose before they can be deleted."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

from cloudlet.core import Transaction
from cloudlet.services.iam import errors
from cloudlet.services.iam.entity_record import Identity, User

Check = Callable[[Transaction, User], Coroutine[Any, Any, None]]
"""Raises AwsError (`errors.delete_conflict`) for a user that has something left."""
_user_checks: Final[list[Check]] = []


def add_user_check(check: Check) -> Check:
    """Have a check made of each user that is to be deleted."""
    _user_checks.append(check)
    return check


async def check_user(tx: Transaction, user: User) -> None:
    """Raise AwsError for a user that has something left."""
    for check in _user_checks:
        await check(tx, user)
    if user.groups:
        raise errors.delete_conflict("Cannot delete entity, must remove users from group first.")
    check_policies(user)


def check_policies(identity: Identity) -> None:
    """Raise AwsError for a user, group or role that has policies."""
    if identity.attached:
        raise errors.delete_conflict("Cannot delete entity, must detach all policies first.")
    if identity.inline:
        raise errors.delete_conflict("Cannot delete entity, must delete policies first.")
