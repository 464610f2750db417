"""Keys and the users of their account, where permissions are enforced."""

from __future__ import annotations

from typing import Any

from tests.refused import code_of
from tests.strict_accounts import Account, Caller, allow, deny, document, is_denied


def _encrypt(caller: Caller, key: str, **more: Any) -> bytes:
    blob: bytes = caller.client("kms").encrypt(KeyId=key, Plaintext=b"x", **more)["CiphertextBlob"]
    return blob


def _delegate(account: Account, *actions: str) -> dict[str, Any]:
    return allow(list(actions), Principal={"AWS": f"arn:aws:iam::{account.number}:root"})


def test_a_key_policy_that_names_the_account_leaves_it_to_iam(strict_account: Account) -> None:
    key = strict_account.client("kms").create_key()["KeyMetadata"]["Arn"]
    alice = strict_account.user(allow("kms:Encrypt", key))
    _encrypt(alice, key)
    assert is_denied(alice.client("kms").describe_key, KeyId=key)
    assert is_denied(strict_account.user(name="bob").client("kms").encrypt, KeyId=key, Plaintext=b"x")


def test_iam_alone_allows_nothing(strict_account: Account) -> None:
    policy = document(_delegate(strict_account, "kms:PutKeyPolicy", "kms:DescribeKey"))
    key = strict_account.client("kms").create_key(Policy=policy)["KeyMetadata"]["Arn"]
    alice = strict_account.user(allow("kms:*"))
    alice.client("kms").describe_key(KeyId=key)
    assert is_denied(alice.client("kms").encrypt, KeyId=key, Plaintext=b"x")


def test_a_role_is_named_in_a_key_policy(strict_account: Account) -> None:
    role = strict_account.role({"AWS": strict_account.number}, deny("kms:DescribeKey"))
    policy = document(
        _delegate(strict_account, "kms:PutKeyPolicy"),
        allow(["kms:Encrypt", "kms:DescribeKey"], Principal={"AWS": role}),
    )
    key = strict_account.client("kms").create_key(Policy=policy)["KeyMetadata"]["Arn"]
    session = strict_account.assume(role, strict_account.user(allow("sts:AssumeRole")))
    _encrypt(session, key)
    assert is_denied(session.client("kms").describe_key, KeyId=key)


def test_a_user_creates_keys_without_more_permissions_than_that(strict_account: Account) -> None:
    kms = strict_account.user(allow("kms:CreateKey")).client("kms")
    assert kms.create_key()["KeyMetadata"]["KeyId"]
    assert is_denied(kms.create_key, Tags=[{"TagKey": "k", "TagValue": "v"}])
    assert is_denied(kms.list_keys)


def test_who_may_not_use_a_key_does_not_learn_whether_it_is_there(strict_account: Account) -> None:
    missing = "12345678-1234-1234-1234-123456789012"
    nobody = strict_account.user().client("kms")
    for name in (missing, f"arn:aws:kms:us-east-1:{strict_account.number}:key/{missing}", "alias/none"):
        assert is_denied(nobody.describe_key, KeyId=name)
        assert code_of(strict_account.client("kms").describe_key, KeyId=name) == "NotFoundException"


def test_a_grant_is_retired_unless_a_policy_denies_it(strict_account: Account) -> None:
    root = strict_account.client("kms")
    key = root.create_key()["KeyMetadata"]["Arn"]

    def grant(to: Caller) -> str:
        named = {"GranteePrincipal": to.arn, "RetiringPrincipal": to.arn, "Operations": ["Encrypt"]}
        return str(root.create_grant(KeyId=key, **named)["GrantId"])

    alice = strict_account.user()
    id = grant(alice)
    _encrypt(alice, key)
    alice.client("kms").retire_grant(KeyId=key, GrantId=id)
    bob = strict_account.user(deny("kms:RetireGrant"), name="bob")
    assert is_denied(bob.client("kms").retire_grant, KeyId=key, GrantId=grant(bob))
