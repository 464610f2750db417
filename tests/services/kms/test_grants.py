"""Grants: created, listed, retired and revoked. Whom they allow what is in `test_access.py`."""

from __future__ import annotations

from typing import Any

from cloudlet.testing.server import Aws
from tests.refused import code_of, refused
from tests.services.kms.keys import create_key

_ALICE = "arn:aws:iam::111122223333:user/alice"
_BOB = "arn:aws:iam::111122223333:user/bob"


def test_a_grant_as_it_is_listed(aws: Aws, kms: Any) -> None:
    key = kms.create_key()["KeyMetadata"]
    constraints = {"EncryptionContextSubset": {"app": "shop"}}
    made = kms.create_grant(
        KeyId=key["KeyId"],
        GranteePrincipal=_ALICE,
        RetiringPrincipal=_BOB,
        Operations=["Encrypt", "Decrypt"],
        Constraints=constraints,
        Name="shop",
    )
    shown = kms.list_grants(KeyId=key["KeyId"])["Grants"][0]
    shown.pop("CreationDate")
    assert shown == {
        "KeyId": key["Arn"],
        "GrantId": made["GrantId"],
        "Name": "shop",
        "GranteePrincipal": _ALICE,
        "RetiringPrincipal": _BOB,
        "IssuingAccount": f"arn:aws:iam::{aws.account}:root",
        "Operations": ["Encrypt", "Decrypt"],
        "Constraints": constraints,
    }


def test_a_named_request_is_one_grant(kms: Any) -> None:
    key = create_key(kms)
    params = {"KeyId": key, "GranteePrincipal": _ALICE, "Operations": ["Encrypt"]}
    one, again = kms.create_grant(Name="n", **params), kms.create_grant(Name="n", **params)
    assert one["GrantId"] == again["GrantId"]
    assert one["GrantToken"] != again["GrantToken"]
    other = kms.create_grant(Name="n", **{**params, "Operations": ["Decrypt"]})
    assert other["GrantId"] != one["GrantId"]
    assert kms.create_grant(**params)["GrantId"] != kms.create_grant(**params)["GrantId"]
    assert len(kms.list_grants(KeyId=key)["Grants"]) == 4
    kms.revoke_grant(KeyId=key, GrantId=one["GrantId"])
    assert kms.create_grant(Name="n", **params)["GrantId"] != one["GrantId"]


def test_grants_are_listed_in_pages_and_by_grantee(kms: Any) -> None:
    key = create_key(kms)
    made = {
        grantee: [
            kms.create_grant(KeyId=key, GranteePrincipal=grantee, Operations=["Encrypt"])["GrantId"] for _ in range(3)
        ]
        for grantee in (_ALICE, _BOB)
    }
    pages = list(kms.get_paginator("list_grants").paginate(KeyId=key, PaginationConfig={"PageSize": 2}))
    assert [len(page["Grants"]) for page in pages] == [2, 2, 2]
    listed = kms.list_grants(KeyId=key, GranteePrincipal=_BOB)["Grants"]
    assert sorted(each["GrantId"] for each in listed) == sorted(made[_BOB])
    wanted = made[_ALICE][0]
    assert [each["GrantId"] for each in kms.list_grants(KeyId=key, GrantId=wanted)["Grants"]] == [wanted]


def test_retirable_grants(aws: Aws, kms: Any) -> None:
    retiree = f"arn:aws:iam::{aws.account}:role/app"
    key = create_key(kms)
    params = {"KeyId": key, "GranteePrincipal": _ALICE, "Operations": ["Encrypt"]}
    made = kms.create_grant(RetiringPrincipal=retiree, **params)
    kms.create_grant(RetiringPrincipal=f"{retiree}2", **params)
    assert [each["GrantId"] for each in kms.list_retirable_grants(RetiringPrincipal=retiree)["Grants"]] == [
        made["GrantId"]
    ]
    kms.retire_grant(GrantToken=made["GrantToken"])
    assert kms.list_retirable_grants(RetiringPrincipal=retiree)["Grants"] == []
    assert code_of(kms.list_retirable_grants, RetiringPrincipal=_ALICE) == "AccessDeniedException"
    assert code_of(kms.list_retirable_grants) == "ValidationException"


def test_grants_are_retired_and_revoked_once(kms: Any) -> None:
    key = create_key(kms)
    params = {"KeyId": key, "GranteePrincipal": _ALICE, "Operations": ["Encrypt"]}
    made = kms.create_grant(**params)
    assert code_of(kms.retire_grant, GrantToken=made["GrantToken"], DryRun=True) == "DryRunOperationException"
    kms.retire_grant(KeyId=key, GrantId=made["GrantId"])
    missing = ("NotFoundException", f"Grant ID {made['GrantId']} not found")
    assert refused(kms.retire_grant, GrantToken=made["GrantToken"]) == missing
    assert refused(kms.revoke_grant, KeyId=key, GrantId=made["GrantId"]) == missing
    assert code_of(kms.retire_grant, KeyId=key) == "ValidationException"
    assert code_of(kms.retire_grant, GrantToken="nonsense") == "InvalidGrantTokenException"
    assert code_of(kms.create_grant, DryRun=True, **params) == "DryRunOperationException"


def test_grants_that_are_refused(kms: Any) -> None:
    key = create_key(kms)
    mac = create_key(kms, KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    params = {"KeyId": key, "Operations": ["Encrypt"]}
    assert code_of(kms.create_grant, GranteePrincipal="alice", **params) == "InvalidArnException"
    assert code_of(kms.create_grant, **params) == "ValidationException"
    service = {"GranteeServicePrincipal": "s3.amazonaws.com"}
    assert code_of(kms.create_grant, **params, **service) == "ValidationException"
    signing = {"KeyId": key, "GranteePrincipal": _ALICE, "Operations": ["Sign"]}
    assert code_of(kms.create_grant, **signing) == "ValidationException"
    with_context = {
        "KeyId": mac,
        "GranteePrincipal": _ALICE,
        "Operations": ["GenerateMac"],
        "Constraints": {"EncryptionContextEquals": {"a": "b"}},
    }
    assert code_of(kms.create_grant, **with_context) == "ValidationException"
    many = {str(number): "x" for number in range(9)}
    too_many = {"GranteePrincipal": _ALICE, "Constraints": {"EncryptionContextSubset": many}}
    assert code_of(kms.create_grant, **params, **too_many) == "LimitExceededException"
    token = {"GrantTokens": ["nonsense"]}
    assert code_of(kms.encrypt, KeyId=key, Plaintext=b"x", **token) == "InvalidGrantTokenException"
