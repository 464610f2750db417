"""Access keys."""

from __future__ import annotations

import re
from typing import Any

from cloudlet.testing.server import Aws
from tests.refused import code_of, refused


def test_a_user_has_two_access_keys_at_most(aws: Aws, iam: Any) -> None:
    iam.create_user(UserName="Ann")
    made = [iam.create_access_key(UserName="Ann")["AccessKey"] for _ in range(2)]
    for key in made:
        assert re.fullmatch("AKIA[A-Z2-7]{16}", key["AccessKeyId"])
        assert len(key["SecretAccessKey"]) == 40
        assert (key["UserName"], key["Status"]) == ("Ann", "Active")
        assert aws.client("sts").get_access_key_info(AccessKeyId=key["AccessKeyId"])["Account"] == aws.account
    assert refused(iam.create_access_key, UserName="Ann") == (
        "LimitExceeded",
        "Cannot exceed quota for AccessKeysPerUser: 2",
    )
    listed = iam.list_access_keys(UserName="Ann")["AccessKeyMetadata"]
    assert [each["AccessKeyId"] for each in listed] == sorted(each["AccessKeyId"] for each in made)
    assert not any("SecretAccessKey" in each for each in listed)


def test_a_key_is_switched_off_and_deleted(iam: Any) -> None:
    iam.create_user(UserName="Ann")
    key = iam.create_access_key(UserName="Ann")["AccessKey"]["AccessKeyId"]
    iam.update_access_key(UserName="Ann", AccessKeyId=key, Status="Inactive")
    assert iam.list_access_keys(UserName="Ann")["AccessKeyMetadata"][0]["Status"] == "Inactive"
    assert code_of(iam.update_access_key, UserName="Ann", AccessKeyId=key, Status="Expired") == "InvalidInput"
    # It is not the root's.
    missing = ("NoSuchEntity", f"The Access Key with id {key} cannot be found.")
    assert refused(iam.delete_access_key, AccessKeyId=key) == missing
    iam.delete_access_key(UserName="Ann", AccessKeyId=key)
    assert refused(iam.delete_access_key, UserName="Ann", AccessKeyId=key) == missing


def test_keys_of_nobody_else_are_the_callers(iam: Any) -> None:
    key = iam.create_access_key()["AccessKey"]
    assert "UserName" not in key
    assert [each["AccessKeyId"] for each in iam.list_access_keys()["AccessKeyMetadata"]] == [key["AccessKeyId"]]
    assert iam.get_account_summary()["SummaryMap"]["AccountAccessKeysPresent"] == 1


def test_a_key_that_was_never_used_says_so(iam: Any) -> None:
    iam.create_user(UserName="Ann")
    key = iam.create_access_key(UserName="Ann")["AccessKey"]["AccessKeyId"]
    shown = iam.get_access_key_last_used(AccessKeyId=key)
    assert shown["UserName"] == "Ann"
    assert shown["AccessKeyLastUsed"] == {"ServiceName": "N/A", "Region": "N/A"}
    assert code_of(iam.get_access_key_last_used, AccessKeyId="AKIA" + "A" * 16) == "AccessDenied"
