"""Lists in pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.testing.server import Aws
from tests.refused import refused
from tests.services.iam.documents import LAMBDA, READ

SETTINGS = settings(max_examples=25)
MAX_ITEMS = st.integers(1, 8)
NAMES = [f"N{number}" if number % 2 else f"n{number}" for number in range(7)]


@pytest.fixture(scope="module")
def full(cloudlet_server: Any) -> Any:
    """A client of an account that has seven of each."""
    with cloudlet_server.account() as aws:
        iam = aws.client("iam")
        iam.create_user(UserName="owner")
        iam.create_group(GroupName="all")
        for number, name in enumerate(NAMES):
            path = "/odd/" if number % 2 else "/"
            iam.create_user(UserName=name, Path=path)
            iam.create_group(GroupName=name, Path=path)
            iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=LAMBDA)
            iam.create_instance_profile(InstanceProfileName=name, Path=path)
            arn = iam.create_policy(PolicyName=name, Path=path, PolicyDocument=READ)["Policy"]["Arn"]
            iam.attach_user_policy(UserName="owner", PolicyArn=arn)
            iam.put_user_policy(UserName="owner", PolicyName=name, PolicyDocument=READ.replace("Get", str(number)))
            iam.add_user_to_group(GroupName="all", UserName=name)
            iam.add_user_to_group(GroupName=name, UserName="owner")
        yield iam


def _walk(call: Callable[..., Any], member: str, size: int, **params: Any) -> list[Any]:
    """Return the items of all pages of a list."""
    items: list[Any] = []
    marker: dict[str, str] = {}
    while True:
        page = call(**params, **marker, MaxItems=size)
        assert len(page[member]) <= size
        items += page[member]
        assert page["IsTruncated"] == ("Marker" in page)
        if not page["IsTruncated"]:
            return items
        assert page[member]
        marker = {"Marker": page["Marker"]}


@SETTINGS
@given(MAX_ITEMS, st.sampled_from(["User", "Group", "Role", "InstanceProfile"]), st.booleans())
def test_all_are_listed_once(full: Any, size: int, noun: str, is_odd: bool) -> None:
    operation = {"InstanceProfile": "instance_profile"}.get(noun, noun.lower())
    call = getattr(full, f"list_{operation}s")
    items = _walk(call, f"{noun}s", size, **({"PathPrefix": "/odd/"} if is_odd else {}))
    found = [each[f"{noun}Name"] for each in items]
    expected = NAMES[1::2] if is_odd else NAMES
    assert [name for name in found if name in NAMES] == expected
    assert len(found) == len(set(found))


@SETTINGS
@given(MAX_ITEMS)
def test_what_hangs_on_a_user_is_listed_once(full: Any, size: int) -> None:
    owner = {"UserName": "owner"}
    attached = _walk(full.list_attached_user_policies, "AttachedPolicies", size, **owner)
    assert sorted(each["PolicyName"] for each in attached) == sorted(NAMES)
    assert _walk(full.list_user_policies, "PolicyNames", size, **owner) == sorted(NAMES)
    groups = _walk(full.list_groups_for_user, "Groups", size, **owner)
    assert [each["GroupName"] for each in groups] == NAMES
    users = _walk(full.get_group, "Users", size, GroupName="all")
    assert [each["UserName"] for each in users] == NAMES
    policies = _walk(full.list_policies, "Policies", size, Scope="Local")
    assert [each["PolicyName"] for each in policies] == NAMES


@SETTINGS
@given(MAX_ITEMS)
def test_authorization_details_come_in_pages(full: Any, size: int) -> None:
    found: dict[str, list[str]] = {"User": [], "Group": [], "Role": [], "Policy": []}
    for page in full.get_paginator("get_account_authorization_details").paginate(PaginationConfig={"PageSize": size}):
        for noun, names in found.items():
            items = page["Policies" if noun == "Policy" else f"{noun}DetailList"]
            names += [each[f"{noun}Name"] for each in items]
    assert found == {"User": [*NAMES, "owner"], "Group": ["all", *NAMES], "Role": NAMES, "Policy": NAMES}


def test_markers_are_those_that_were_answered(aws: Aws, iam: Any) -> None:
    iam.create_user(UserName="Ann")
    for call, params in (
        (iam.list_users, {}),
        (iam.list_groups_for_user, {"UserName": "Ann"}),
        (iam.list_policies, {}),
        (iam.get_account_authorization_details, {}),
    ):
        assert refused(call, **params, Marker="?") == ("ValidationError", "Invalid Marker.")
