"""Permissions to use a key in strict mode: key policies, grants, condition keys."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.core import AwsError
from cloudlet.core.kernel.identity import Principal, root
from tests.services.kms.keys import allow_account, make_policy
from tests.services.kms.local import ACCOUNT, ALICE, BOB, OTHER, REGION, ROLE, SESSION, LocalKms

_ADMIN = allow_account(ACCOUNT)
_MANAGED_BY_ROOT = allow_account(
    ACCOUNT, "kms:PutKeyPolicy", "kms:CreateGrant", "kms:RevokeGrant", "kms:DescribeKey", "kms:ListGrants"
)


def _refuse(kms: LocalKms, operation: str, **params: Any) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        kms.call(operation, **params)
    return caught.value.code, caught.value.message


def _encrypt(kms: LocalKms, key: str, **params: Any) -> bytes:
    return bytes(kms.call("Encrypt", **{"KeyId": key, "Plaintext": b"secret", **params})["CiphertextBlob"])


def _is_denied(kms: LocalKms, operation: str, **params: Any) -> bool:
    return _refuse(kms, operation, **params)[0] == "AccessDeniedException"


def test_the_default_policy_leaves_all_to_the_account(strict_kms: LocalKms) -> None:
    key = strict_kms.create_key()
    assert _is_denied(strict_kms, "Encrypt", by=ALICE, KeyId=key, Plaintext=b"x")
    alice, session = strict_kms.permit(ALICE, "kms:Encrypt"), strict_kms.permit(SESSION, "kms:Decrypt")
    blob = _encrypt(strict_kms, key, by=alice)
    assert strict_kms.call("Decrypt", by=session, CiphertextBlob=blob)["Plaintext"] == b"secret"
    assert _is_denied(strict_kms, "Decrypt", by=alice, CiphertextBlob=blob)


def test_without_the_key_policy_not_even_root_may(strict_kms: LocalKms) -> None:
    policy = make_policy(_MANAGED_BY_ROOT, {"Principal": {"AWS": ALICE.arn}, "Action": ["kms:Encrypt", "kms:Decrypt"]})
    key = strict_kms.create_key(Policy=policy)
    blob = _encrypt(strict_kms, key, by=ALICE)
    assert _refuse(strict_kms, "Decrypt", CiphertextBlob=blob) == (
        "AccessDeniedException",
        f"User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform: kms:Decrypt on resource: {key} because no "
        "resource-based policy allows the kms:Decrypt action",
    )
    assert strict_kms.call("Decrypt", by=ALICE, CiphertextBlob=blob)["Plaintext"] == b"secret"


def test_another_account_uses_a_key_by_its_arn(strict_kms: LocalKms) -> None:
    policy = make_policy(_ADMIN, {"Principal": {"AWS": BOB.arn}, "Action": ["kms:Encrypt", "kms:Decrypt"]})
    key = strict_kms.create_key(Policy=policy)
    strict_kms.call("CreateAlias", AliasName="alias/shared", TargetKeyId=key)
    assert _is_denied(strict_kms, "Encrypt", by=BOB, KeyId=key, Plaintext=b"x"), "his own account is to allow it, too"
    bob = strict_kms.permit(BOB, "kms:*")
    blob = _encrypt(strict_kms, key, by=bob)
    alias = f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/shared"
    assert _encrypt(strict_kms, alias, by=bob)
    assert strict_kms.call("Decrypt", by=bob, CiphertextBlob=blob)["KeyId"] == key
    assert strict_kms.call("Decrypt", by=bob, CiphertextBlob=blob, KeyId=key.rpartition("/")[2])["KeyId"] == key
    assert _is_denied(strict_kms, "Decrypt", by=root(OTHER), CiphertextBlob=blob)
    assert _is_denied(strict_kms, "DisableKey", by=bob, KeyId=key)
    assert (
        _refuse(strict_kms, "Encrypt", by=bob, KeyId=key.rpartition("/")[2], Plaintext=b"x")[0] == "NotFoundException"
    )


def test_a_grant_alone_allows(strict_kms: LocalKms) -> None:
    key = strict_kms.create_key(Policy=make_policy(_MANAGED_BY_ROOT))
    assert _is_denied(strict_kms, "Encrypt", by=ALICE, KeyId=key, Plaintext=b"x")
    made = strict_kms.call("CreateGrant", KeyId=key, GranteePrincipal=ALICE.arn, Operations=["Encrypt"])
    blob = _encrypt(strict_kms, key, by=ALICE, GrantTokens=[made["GrantToken"]])
    assert _is_denied(strict_kms, "Decrypt", by=ALICE, CiphertextBlob=blob)
    strict_kms.call("RevokeGrant", KeyId=key, GrantId=made["GrantId"])
    assert _is_denied(strict_kms, "Encrypt", by=ALICE, KeyId=key, Plaintext=b"x")


@pytest.mark.parametrize(
    ("grantee", "caller"), [(ROLE, SESSION), (f"arn:aws:iam::{OTHER}:root", BOB), (SESSION.arn, SESSION)]
)
def test_grants_are_for_roles_and_accounts_too(strict_kms: LocalKms, grantee: str, caller: Principal) -> None:
    key = strict_kms.create_key(Policy=make_policy(_MANAGED_BY_ROOT))
    strict_kms.call("CreateGrant", KeyId=key, GranteePrincipal=grantee, Operations=["Encrypt"])
    assert _encrypt(strict_kms, key, by=caller)


def test_a_policy_that_denies_outweighs_a_grant(strict_kms: LocalKms) -> None:
    deny = {"Effect": "Deny", "Principal": {"AWS": ALICE.arn}, "Action": "kms:Encrypt"}
    key = strict_kms.create_key(Policy=make_policy(_MANAGED_BY_ROOT, deny))
    strict_kms.call("CreateGrant", KeyId=key, GranteePrincipal=ALICE.arn, Operations=["Encrypt"])
    assert _is_denied(strict_kms, "Encrypt", by=ALICE, KeyId=key, Plaintext=b"x")


def test_a_grant_holds_for_an_encryption_context(strict_kms: LocalKms) -> None:
    key = strict_kms.create_key(Policy=make_policy(_MANAGED_BY_ROOT))
    subset: dict[str, Any] = {"Constraints": {"EncryptionContextSubset": {"app": "shop"}}}
    strict_kms.call(
        "CreateGrant", KeyId=key, GranteePrincipal=ALICE.arn, Operations=["Encrypt", "DescribeKey"], **subset
    )
    equals: dict[str, Any] = {"Constraints": {"EncryptionContextEquals": {"app": "shop"}}}
    strict_kms.call("CreateGrant", KeyId=key, GranteePrincipal=SESSION.arn, Operations=["Encrypt"], **equals)
    params = {"KeyId": key, "Plaintext": b"x"}
    wider = {"app": "shop", "user": "7"}
    assert _encrypt(strict_kms, key, by=ALICE, EncryptionContext=wider)
    assert _is_denied(strict_kms, "Encrypt", by=ALICE, **params, EncryptionContext={"app": "Shop"})
    assert strict_kms.call("DescribeKey", by=ALICE, KeyId=key)["KeyMetadata"]["Arn"] == key
    assert _encrypt(strict_kms, key, by=SESSION, EncryptionContext={"app": "shop"})
    assert _is_denied(strict_kms, "Encrypt", by=SESSION, **params, EncryptionContext=wider)


def test_a_grant_by_a_grant_allows_no_more(strict_kms: LocalKms) -> None:
    granting = {"Principal": {"AWS": BOB.arn}, "Action": "kms:CreateGrant"}
    key = strict_kms.create_key(Policy=make_policy(allow_account(ACCOUNT, "kms:PutKeyPolicy"), granting))
    subset: dict[str, Any] = {"Constraints": {"EncryptionContextSubset": {"app": "shop"}}}
    operations = ["Encrypt", "CreateGrant"]
    bob = strict_kms.permit(BOB, "kms:CreateGrant")
    strict_kms.call("CreateGrant", by=bob, KeyId=key, GranteePrincipal=ALICE.arn, Operations=operations, **subset)
    wanted: dict[str, Any] = {"KeyId": key, "GranteePrincipal": SESSION.arn}
    assert _is_denied(strict_kms, "CreateGrant", by=ALICE, **wanted, Operations=["Encrypt"])
    assert _is_denied(strict_kms, "CreateGrant", by=ALICE, **wanted, Operations=["Decrypt"], **subset)
    strict_kms.call("CreateGrant", by=ALICE, **wanted, Operations=["Encrypt"], **subset)
    assert _encrypt(strict_kms, key, by=SESSION, EncryptionContext={"app": "shop"})


def test_a_service_uses_a_key_for_a_resource(strict_kms: LocalKms) -> None:
    key = strict_kms.create_key(Policy=make_policy(_MANAGED_BY_ROOT))
    bucket = f"arn:aws:s3:us-east-1:{OTHER}:bucket"
    strict_kms.call(
        "CreateGrant",
        KeyId=key,
        GranteeServicePrincipal="s3.amazonaws.com",
        RetiringPrincipal=ALICE.arn,
        Operations=["Encrypt"],
        Constraints={"SourceArn": bucket},
    )
    service = Principal("service", OTHER, "s3.amazonaws.com", "s3")
    assert _encrypt(strict_kms, key, by=service, source_arn=bucket)
    assert _is_denied(strict_kms, "Encrypt", by=service, KeyId=key, Plaintext=b"x", source_arn=f"{bucket}2")


def test_a_service_is_admitted_for_the_account_that_it_calls_for(strict_kms: LocalKms) -> None:
    key = strict_kms.create_key(Policy=make_policy(_MANAGED_BY_ROOT))
    assert _encrypt(strict_kms, key, by=Principal("service", ACCOUNT, "sqs.amazonaws.com", "sqs"))
    assert _is_denied(
        strict_kms, "Encrypt", by=Principal("service", OTHER, "sqs.amazonaws.com", "sqs"), KeyId=key, Plaintext=b"x"
    )


def test_who_may_retire_a_grant(strict_kms: LocalKms) -> None:
    key = strict_kms.create_key(Policy=make_policy(_MANAGED_BY_ROOT))

    def make(**params: Any) -> dict[str, str]:
        made = strict_kms.call("CreateGrant", KeyId=key, GranteePrincipal=SESSION.arn, **params)
        return {"GrantToken": made["GrantToken"]}

    token = make(Operations=["Encrypt"], RetiringPrincipal=BOB.arn)
    assert _is_denied(strict_kms, "RetireGrant", by=ALICE, **token)
    assert _is_denied(strict_kms, "RetireGrant", by=SESSION, **token)
    strict_kms.call("RetireGrant", by=BOB, **token)
    strict_kms.call("RetireGrant", by=SESSION, **make(Operations=["Encrypt", "RetireGrant"]))
    strict_kms.call("RetireGrant", by=root(ACCOUNT), **make(Operations=["Encrypt"]))
    assert strict_kms.call("ListGrants", KeyId=key)["Grants"] == []


@pytest.mark.parametrize(
    ("condition", "allowed", "denied"),
    [
        ({"StringEquals": {"kms:EncryptionContext:app": "shop"}}, {"EncryptionContext": {"app": "shop"}}, {}),
        (
            {"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["app"]}},
            {"EncryptionContext": {"app": "1"}},
            {"EncryptionContext": {"app": "1", "b": "2"}},
        ),
        ({"StringEquals": {"kms:RequestAlias": "alias/one"}}, {"KeyId": "alias/one"}, {}),
        ({"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/one"}}, {}, None),
        ({"StringEquals": {"kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}}, {}, None),
        ({"StringEquals": {"kms:KeySpec": "SYMMETRIC_DEFAULT", "kms:KeyUsage": "ENCRYPT_DECRYPT"}}, {}, None),
        ({"StringEquals": {"kms:CallerAccount": ACCOUNT, "aws:ResourceTag/team": "blue"}}, {}, None),
        ({"StringEquals": {"kms:KeySpec": "RSA_2048"}}, None, {}),
        ({"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}, None, {}),
    ],
)
def test_condition_keys(
    strict_kms: LocalKms, condition: dict[str, Any], allowed: dict[str, Any] | None, denied: dict[str, Any] | None
) -> None:
    manage = allow_account(ACCOUNT, "kms:PutKeyPolicy", "kms:CreateAlias")
    policy = make_policy(manage, {"Principal": {"AWS": ALICE.arn}, "Action": "kms:Encrypt", "Condition": condition})
    key = strict_kms.create_key(Policy=policy, Tags=[{"TagKey": "team", "TagValue": "blue"}])
    strict_kms.call("CreateAlias", AliasName="alias/one", TargetKeyId=key)
    if allowed is not None:
        assert _encrypt(strict_kms, key, by=ALICE, **allowed)
    if denied is not None:
        assert _is_denied(strict_kms, "Encrypt", by=ALICE, **{"KeyId": key, "Plaintext": b"x", **denied})


def test_a_managed_key_is_used_through_its_service_only(strict_kms: LocalKms) -> None:
    through = ALICE.called_by("secretsmanager.amazonaws.com")
    data_key = {"KeyId": "alias/aws/secretsmanager", "KeySpec": "AES_256"}
    assert strict_kms.call("GenerateDataKey", by=through, **data_key)["Plaintext"]
    assert _is_denied(strict_kms, "GenerateDataKey", by=ALICE, **data_key)
    assert _is_denied(strict_kms, "GenerateDataKey", by=ALICE.called_by("s3.amazonaws.com"), **data_key)
    assert strict_kms.call("DescribeKey", KeyId="alias/aws/secretsmanager")["KeyMetadata"]["KeyManager"] == "AWS"


def test_changing_an_alias_takes_both_keys(strict_kms: LocalKms) -> None:
    mine, locked = strict_kms.create_key(), strict_kms.create_key(Policy=make_policy(_MANAGED_BY_ROOT))
    strict_kms.call("CreateAlias", AliasName="alias/one", TargetKeyId=mine)
    assert _is_denied(strict_kms, "UpdateAlias", AliasName="alias/one", TargetKeyId=locked)
    assert _is_denied(strict_kms, "CreateAlias", AliasName="alias/two", TargetKeyId=locked)
    locking = make_policy(_MANAGED_BY_ROOT)
    strict_kms.call("PutKeyPolicy", KeyId=mine, Policy=locking)
    assert _is_denied(strict_kms, "DeleteAlias", AliasName="alias/one")


def test_re_encryption_takes_both_keys(strict_kms: LocalKms) -> None:
    only_on_itself = {"StringEquals": {"kms:ReEncryptOnSameKey": "true"}}
    source = strict_kms.create_key(
        Policy=make_policy(
            allow_account(ACCOUNT, "kms:PutKeyPolicy", "kms:Encrypt"),
            {"Principal": {"AWS": ALICE.arn}, "Action": "kms:ReEncrypt*", "Condition": only_on_itself},
        )
    )
    blob = _encrypt(strict_kms, source)
    again = strict_kms.call("ReEncrypt", by=ALICE, CiphertextBlob=blob, DestinationKeyId=source)
    assert again["SourceKeyId"] == again["KeyId"] == source
    target = strict_kms.create_key()
    assert _is_denied(strict_kms, "ReEncrypt", by=ALICE, CiphertextBlob=blob, DestinationKeyId=target)


def test_a_dry_run_is_denied_as_the_call_would_be(strict_kms: LocalKms) -> None:
    key = strict_kms.create_key(
        Policy=make_policy(_MANAGED_BY_ROOT, {"Principal": {"AWS": ALICE.arn}, "Action": "kms:Encrypt"})
    )
    params = {"KeyId": key, "Plaintext": b"x", "DryRun": True}
    assert _refuse(strict_kms, "Encrypt", by=ALICE, **params)[0] == "DryRunOperationException"
    assert _is_denied(strict_kms, "Encrypt", by=SESSION, **params)
