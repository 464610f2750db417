"""The alias and the password policy of an account."""

from __future__ import annotations

from typing import Any

from cloudlet.testing.server import Aws
from tests.refused import refused


def test_an_account_has_one_alias(aws: Aws, iam: Any) -> None:
    assert iam.list_account_aliases()["AccountAliases"] == []
    iam.create_account_alias(AccountAlias=f"shop-{aws.account}")
    iam.create_account_alias(AccountAlias=f"store-{aws.account}")
    assert iam.list_account_aliases()["AccountAliases"] == [f"store-{aws.account}"]
    iam.delete_account_alias(AccountAlias=f"store-{aws.account}")
    assert iam.list_account_aliases()["AccountAliases"] == []


def test_no_two_accounts_have_the_same_alias(aws: Aws, iam: Any) -> None:
    alias = f"same-{aws.account}"
    iam.create_account_alias(AccountAlias=alias)
    other = Aws(aws.endpoint, str(int(aws.account) + 1)).client("iam")
    assert refused(other.create_account_alias, AccountAlias=alias) == (
        "EntityAlreadyExists",
        f"The account alias {alias} already exists.",
    )
    assert refused(other.delete_account_alias, AccountAlias=alias)[0] == "NoSuchEntity"
    iam.delete_account_alias(AccountAlias=alias)
    other.create_account_alias(AccountAlias=alias)


def test_an_alias_has_letters_digits_and_single_dashes(iam: Any) -> None:
    assert refused(iam.create_account_alias, AccountAlias="two--dashes")[0] == "ValidationError"


def test_a_password_policy_is_there_once_it_was_set(aws: Aws, iam: Any) -> None:
    missing = ("NoSuchEntity", f"The Password Policy with domain name {aws.account} cannot be found.")
    assert refused(iam.get_account_password_policy) == missing
    assert refused(iam.delete_account_password_policy) == missing
    iam.update_account_password_policy(MinimumPasswordLength=8, RequireNumbers=True)
    assert iam.get_account_password_policy()["PasswordPolicy"] == {
        "MinimumPasswordLength": 8,
        "RequireSymbols": False,
        "RequireNumbers": True,
        "RequireUppercaseCharacters": False,
        "RequireLowercaseCharacters": False,
        "AllowUsersToChangePassword": False,
        "ExpirePasswords": False,
    }


def test_what_an_update_does_not_say_becomes_the_default(iam: Any) -> None:
    iam.update_account_password_policy(MinimumPasswordLength=20, MaxPasswordAge=90, PasswordReusePrevention=3)
    assert iam.get_account_password_policy()["PasswordPolicy"]["ExpirePasswords"] is True
    iam.update_account_password_policy(HardExpiry=True)
    policy = iam.get_account_password_policy()["PasswordPolicy"]
    assert policy["MinimumPasswordLength"] == 6
    assert policy["HardExpiry"] is True
    assert "MaxPasswordAge" not in policy
    iam.delete_account_password_policy()
    assert refused(iam.get_account_password_policy)[0] == "NoSuchEntity"
