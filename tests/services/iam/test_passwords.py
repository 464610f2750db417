"""Passwords of users: login profiles and the policy that they conform to."""

from __future__ import annotations

from typing import Any

import pytest

from tests.refused import refused

_GOOD = "Correct-Horse-1"


def test_a_user_gets_a_password_that_nobody_is_shown(iam: Any) -> None:
    iam.create_user(UserName="ann")
    made = iam.create_login_profile(UserName="ann", Password=_GOOD, PasswordResetRequired=True)["LoginProfile"]
    assert made["UserName"] == "ann"
    assert made["PasswordResetRequired"] is True
    assert set(made) == {"UserName", "CreateDate", "PasswordResetRequired"}
    assert iam.get_login_profile(UserName="ANN")["LoginProfile"] == made
    iam.delete_login_profile(UserName="ann")
    assert refused(iam.get_login_profile, UserName="ann") == (
        "NoSuchEntity",
        "Login Profile for User ann cannot be found.",
    )


def test_a_user_has_one_password(iam: Any) -> None:
    iam.create_user(UserName="ann")
    iam.create_login_profile(UserName="ann", Password=_GOOD)
    assert refused(iam.create_login_profile, UserName="ann", Password=_GOOD) == (
        "EntityAlreadyExists",
        "Login Profile for user ann already exists.",
    )


def test_a_user_with_a_password_is_not_deleted_but_renamed(iam: Any) -> None:
    iam.create_user(UserName="ann")
    iam.create_login_profile(UserName="ann", Password=_GOOD)
    assert refused(iam.delete_user, UserName="ann") == (
        "DeleteConflict",
        "Cannot delete entity, must delete login profile first.",
    )
    iam.update_user(UserName="ann", NewUserName="beth")
    assert iam.get_login_profile(UserName="beth")["LoginProfile"]["UserName"] == "beth"


@pytest.mark.parametrize("call", ["create_login_profile", "get_login_profile", "delete_login_profile"])
def test_the_root_user_has_no_login_profile(iam: Any, call: str) -> None:
    params = {"Password": _GOOD} if call == "create_login_profile" else {}
    assert refused(getattr(iam, call), **params)[0] == "ValidationError"


def test_a_password_is_required(iam: Any) -> None:
    iam.create_user(UserName="ann")
    assert refused(iam.create_login_profile, UserName="ann")[0] == "ValidationError"


@pytest.mark.parametrize("call", ["create_login_profile", "update_login_profile"])
def test_who_is_no_user_has_no_password(iam: Any, call: str) -> None:
    assert refused(getattr(iam, call), UserName="nobody", Password=_GOOD) == (
        "NoSuchEntity",
        "The user with name nobody cannot be found.",
    )


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("Ab1-", "Password should have a minimum length of 8"),
        ("only-small", "Password should have at least three of the following"),
    ],
)
def test_without_a_policy_the_default_one_counts(iam: Any, password: str, reason: str) -> None:
    iam.create_user(UserName="ann")
    code, message = refused(iam.create_login_profile, UserName="ann", Password=password)
    assert code == "PasswordPolicyViolation"
    assert message.startswith(reason)


@pytest.mark.parametrize(
    ("password", "missing"),
    [
        ("abcABC123", "symbol"),
        ("abcABC---", "number"),
        ("abc123---", "uppercase letter"),
        ("ABC123---", "lowercase letter"),
    ],
)
def test_a_password_conforms_to_the_policy_of_the_account(iam: Any, password: str, missing: str) -> None:
    iam.update_account_password_policy(
        MinimumPasswordLength=9,
        RequireSymbols=True,
        RequireNumbers=True,
        RequireUppercaseCharacters=True,
        RequireLowercaseCharacters=True,
    )
    iam.create_user(UserName="ann")
    assert refused(iam.create_login_profile, UserName="ann", Password=password) == (
        "PasswordPolicyViolation",
        f"Password should have at least one {missing}",
    )
    iam.create_login_profile(UserName="ann", Password="abcABC12-")
    assert refused(iam.update_login_profile, UserName="ann", Password="short") == (
        "PasswordPolicyViolation",
        "Password should have a minimum length of 9",
    )


def test_the_last_passwords_are_not_used_again(iam: Any) -> None:
    iam.update_account_password_policy(PasswordReusePrevention=2)
    iam.create_user(UserName="ann")
    iam.create_login_profile(UserName="ann", Password="first-one")
    iam.update_login_profile(UserName="ann", Password="second-one")
    assert refused(iam.update_login_profile, UserName="ann", Password="first-one")[0] == "PasswordPolicyViolation"
    iam.update_login_profile(UserName="ann", Password="third-one")
    iam.update_login_profile(UserName="ann", Password="first-one")


def test_how_long_a_console_is_open_is_not_kept_as_there_is_none(iam: Any) -> None:
    iam.create_user(UserName="ann")
    params = {"UserName": "ann", "Password": _GOOD, "MaxSigninSessionDuration": 7200}
    assert refused(iam.create_login_profile, **params)[0] == "NotImplemented"
    iam.create_login_profile(UserName="ann", Password=_GOOD)
    iam.update_login_profile(UserName="ann", PasswordResetRequired=True)
    assert iam.get_login_profile(UserName="ann")["LoginProfile"]["PasswordResetRequired"] is True
    assert refused(iam.update_login_profile, **params)[0] == "NotImplemented"


def test_the_root_user_changes_its_password_elsewhere(iam: Any) -> None:
    assert refused(iam.change_password, OldPassword=_GOOD, NewPassword=_GOOD) == (
        "InvalidUserType",
        "Only IAM Users can change their own password",
    )
