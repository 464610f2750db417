"""Instance profiles."""

from __future__ import annotations

import re
from typing import Any

from cloudlet.testing.server import Aws
from tests.refused import refused
from tests.services.iam.documents import LAMBDA


def test_a_profile_has_one_role(aws: Aws, iam: Any) -> None:
    made = iam.create_instance_profile(InstanceProfileName="Web", Path="/x/")["InstanceProfile"]
    assert made["Arn"] == f"arn:aws:iam::{aws.account}:instance-profile/x/Web"
    assert re.fullmatch("AIPA[A-Z2-7]{17}", made["InstanceProfileId"])
    assert made["Roles"] == []
    for name in ("r", "s"):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=LAMBDA)
    iam.add_role_to_instance_profile(InstanceProfileName="Web", RoleName="r")
    assert refused(iam.add_role_to_instance_profile, InstanceProfileName="Web", RoleName="s") == (
        "LimitExceeded",
        "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1",
    )
    shown = iam.get_instance_profile(InstanceProfileName="web")["InstanceProfile"]
    assert [role["RoleName"] for role in shown["Roles"]] == ["r"]
    listed = {name: value for name, value in shown.items() if name != "Tags"}
    assert iam.list_instance_profiles(PathPrefix="/x/")["InstanceProfiles"] == [listed]
    assert iam.list_instance_profiles_for_role(RoleName="r")["InstanceProfiles"] == [listed]
    assert iam.list_instance_profiles_for_role(RoleName="s")["InstanceProfiles"] == []
    assert refused(iam.remove_role_from_instance_profile, InstanceProfileName="Web", RoleName="s") == (
        "NoSuchEntity",
        "The role with name s cannot be found.",
    )
    assert refused(iam.delete_instance_profile, InstanceProfileName="Web") == (
        "DeleteConflict",
        "Cannot delete entity, must remove roles from instance profile first.",
    )
    iam.remove_role_from_instance_profile(InstanceProfileName="Web", RoleName="r")
    iam.delete_instance_profile(InstanceProfileName="Web")
    assert refused(iam.get_instance_profile, InstanceProfileName="Web") == (
        "NoSuchEntity",
        "Instance Profile Web cannot be found.",
    )


def test_names_are_unique(iam: Any) -> None:
    iam.create_instance_profile(InstanceProfileName="i")
    assert refused(iam.create_instance_profile, InstanceProfileName="I") == (
        "EntityAlreadyExists",
        "Instance Profile I already exists.",
    )
