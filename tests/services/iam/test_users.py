"""Users: names, paths, renaming, deletion."""

from __future__ import annotations

import re
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.refused import code_of, refused
from tests.services.iam.documents import READ


def test_a_user_has_an_arn_with_its_path_and_a_unique_id(aws: Aws, iam: Any) -> None:
    user = iam.create_user(UserName="Ann", Path="/a/b/", Tags=[{"Key": "team", "Value": "x"}])["User"]
    assert user["Arn"] == f"arn:aws:iam::{aws.account}:user/a/b/Ann"
    assert re.fullmatch("AIDA[A-Z2-7]{17}", user["UserId"])
    assert user["Path"] == "/a/b/"
    assert user["Tags"] == [{"Key": "team", "Value": "x"}]
    assert iam.get_user(UserName="Ann")["User"] == user
    listed = {key: value for key, value in user.items() if key != "Tags"}
    assert iam.list_users(PathPrefix="/a/")["Users"] == [listed]
    assert iam.list_users(PathPrefix="/b/")["Users"] == []


def test_users_are_the_same_in_all_regions(aws: Aws, iam: Any) -> None:
    iam.create_user(UserName="Ann")
    assert aws.client("iam", region_name="eu-west-1").get_user(UserName="Ann")["User"]["UserName"] == "Ann"


def test_arns_name_the_partition(aws: Aws) -> None:
    arn = aws.client("iam", region_name="cn-north-1").create_user(UserName="Ann")["User"]["Arn"]
    assert arn == f"arn:aws-cn:iam::{aws.account}:user/Ann"


def test_names_are_not_distinguished_by_case(iam: Any) -> None:
    iam.create_user(UserName="Ann")
    expected = ("EntityAlreadyExists", "User with name ANN already exists.")
    assert refused(iam.create_user, UserName="ANN") == expected
    assert iam.get_user(UserName="ann")["User"]["UserName"] == "Ann"
    assert refused(iam.update_user, UserName="Ann", NewUserName="ANN") == expected
    iam.update_user(UserName="Ann", NewUserName="Ann", NewPath="/x/")
    assert iam.get_user(UserName="Ann")["User"]["Path"] == "/x/"


def test_the_caller_is_the_user_that_is_not_named(aws: Aws, iam: Any) -> None:
    assert iam.get_user()["User"] == {"UserId": aws.account, "Arn": f"arn:aws:iam::{aws.account}:root"}


def test_a_renamed_user_keeps_all_that_it_has(iam: Any) -> None:
    user_id = iam.create_user(UserName="Ann")["User"]["UserId"]
    iam.create_group(GroupName="g")
    iam.add_user_to_group(GroupName="g", UserName="Ann")
    arn = iam.create_policy(PolicyName="p", PolicyDocument=READ)["Policy"]["Arn"]
    iam.attach_user_policy(UserName="Ann", PolicyArn=arn)
    iam.put_user_permissions_boundary(UserName="Ann", PermissionsBoundary=arn)
    key = iam.create_access_key(UserName="Ann")["AccessKey"]["AccessKeyId"]
    iam.update_user(UserName="Ann", NewUserName="Bea", NewPath="/x/")
    user = iam.get_user(UserName="Bea")["User"]
    assert user["UserId"] == user_id
    assert user["Arn"].endswith(":user/x/Bea")
    assert [each["UserName"] for each in iam.get_group(GroupName="g")["Users"]] == ["Bea"]
    assert [each["UserName"] for each in iam.list_entities_for_policy(PolicyArn=arn)["PolicyUsers"]] == ["Bea"]
    assert iam.list_access_keys(UserName="Bea")["AccessKeyMetadata"][0]["AccessKeyId"] == key
    counted = iam.get_policy(PolicyArn=arn)["Policy"]
    assert (counted["AttachmentCount"], counted["PermissionsBoundaryUsageCount"]) == (1, 1)
    assert refused(iam.get_user, UserName="Ann") == ("NoSuchEntity", "The user with name Ann cannot be found.")


def test_a_user_is_deleted_once_nothing_hangs_on_it(iam: Any) -> None:
    iam.create_user(UserName="Ann")
    iam.create_group(GroupName="g")
    arn = iam.create_policy(PolicyName="p", PolicyDocument=READ)["Policy"]["Arn"]
    key = iam.create_access_key(UserName="Ann")["AccessKey"]["AccessKeyId"]
    iam.add_user_to_group(GroupName="g", UserName="Ann")
    iam.attach_user_policy(UserName="Ann", PolicyArn=arn)
    iam.put_user_policy(UserName="Ann", PolicyName="p", PolicyDocument=READ)
    for what, remove in (
        ("delete access keys", lambda: iam.delete_access_key(UserName="Ann", AccessKeyId=key)),
        ("remove users from group", lambda: iam.remove_user_from_group(GroupName="g", UserName="Ann")),
        ("detach all policies", lambda: iam.detach_user_policy(UserName="Ann", PolicyArn=arn)),
        ("delete policies", lambda: iam.delete_user_policy(UserName="Ann", PolicyName="p")),
    ):
        assert refused(iam.delete_user, UserName="Ann") == (
            "DeleteConflict",
            f"Cannot delete entity, must {what} first.",
        )
        remove()
    iam.delete_user(UserName="Ann")
    assert code_of(iam.delete_user, UserName="Ann") == "NoSuchEntity"
    assert iam.create_user(UserName="Ann")["User"]["UserName"] == "Ann"


@pytest.mark.parametrize("params", [{"UserName": "a b"}, {"UserName": "a" * 65}, {"UserName": "a", "Path": "x"}])
def test_names_and_paths_have_a_form(iam: Any, params: dict[str, str]) -> None:
    assert code_of(iam.create_user, **params) == "ValidationError"
