"""Groups and their users."""

from __future__ import annotations

import re
from typing import Any

from cloudlet.testing.server import Aws
from tests.refused import code_of, refused
from tests.services.iam.documents import READ


def test_a_group_has_users(aws: Aws, iam: Any) -> None:
    group = iam.create_group(GroupName="Admins", Path="/x/")["Group"]
    assert group["Arn"] == f"arn:aws:iam::{aws.account}:group/x/Admins"
    assert re.fullmatch("AGPA[A-Z2-7]{17}", group["GroupId"])
    for name in ("Bob", "Ann"):
        iam.create_user(UserName=name)
        iam.add_user_to_group(GroupName="Admins", UserName=name)
        iam.add_user_to_group(GroupName="Admins", UserName=name)
    shown = iam.get_group(GroupName="Admins")
    assert shown["Group"] == group
    assert [each["UserName"] for each in shown["Users"]] == ["Ann", "Bob"]
    assert iam.list_groups_for_user(UserName="Ann")["Groups"] == [group]
    assert iam.list_groups(PathPrefix="/x/")["Groups"] == [group]
    iam.remove_user_from_group(GroupName="Admins", UserName="Ann")
    assert iam.list_groups_for_user(UserName="Ann")["Groups"] == []


def test_a_renamed_group_keeps_its_users_and_policies(iam: Any) -> None:
    iam.create_group(GroupName="g")
    iam.create_user(UserName="Ann")
    iam.add_user_to_group(GroupName="g", UserName="Ann")
    arn = iam.create_policy(PolicyName="p", PolicyDocument=READ)["Policy"]["Arn"]
    iam.attach_group_policy(GroupName="g", PolicyArn=arn)
    iam.update_group(GroupName="g", NewGroupName="h")
    assert [each["UserName"] for each in iam.get_group(GroupName="h")["Users"]] == ["Ann"]
    assert [each["GroupName"] for each in iam.list_groups_for_user(UserName="Ann")["Groups"]] == ["h"]
    assert [each["GroupName"] for each in iam.list_entities_for_policy(PolicyArn=arn)["PolicyGroups"]] == ["h"]
    assert refused(iam.get_group, GroupName="g") == ("NoSuchEntity", "The group with name g cannot be found.")


def test_a_user_is_in_ten_groups_at_most(iam: Any) -> None:
    iam.create_user(UserName="Ann")
    for number in range(11):
        iam.create_group(GroupName=f"g{number}")
    for number in range(10):
        iam.add_user_to_group(GroupName=f"g{number}", UserName="Ann")
    answer = refused(iam.add_user_to_group, GroupName="g10", UserName="Ann")
    assert answer == ("LimitExceeded", "Cannot exceed quota for GroupsPerUser: 10")


def test_a_group_is_deleted_once_nothing_hangs_on_it(iam: Any) -> None:
    iam.create_group(GroupName="g")
    iam.create_user(UserName="Ann")
    iam.add_user_to_group(GroupName="g", UserName="Ann")
    assert refused(iam.delete_group, GroupName="g") == (
        "DeleteConflict",
        "Cannot delete entity, must remove users from group first.",
    )
    iam.remove_user_from_group(GroupName="g", UserName="Ann")
    iam.put_group_policy(GroupName="g", PolicyName="p", PolicyDocument=READ)
    assert code_of(iam.delete_group, GroupName="g") == "DeleteConflict"
    iam.delete_group_policy(GroupName="g", PolicyName="p")
    iam.delete_group(GroupName="g")


def test_an_account_has_three_hundred_groups_at_most(iam: Any) -> None:
    for number in range(300):
        iam.create_group(GroupName=f"g{number}")
    answer = refused(iam.create_group, GroupName="g300")
    assert answer == ("LimitExceeded", "Cannot exceed quota for GroupsPerAccount: 300")
    iam.delete_group(GroupName="g0")
    iam.create_group(GroupName="g300")


def test_names_are_unique(iam: Any) -> None:
    iam.create_group(GroupName="g")
    iam.create_group(GroupName="h")
    assert refused(iam.create_group, GroupName="G") == ("EntityAlreadyExists", "Group with name G already exists.")
    assert code_of(iam.update_group, GroupName="g", NewGroupName="H") == "EntityAlreadyExists"
