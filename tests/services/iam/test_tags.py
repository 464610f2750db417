"""Tags of users, roles, instance profiles and policies."""

from __future__ import annotations

from typing import Any

import pytest

from tests.refused import code_of, refused
from tests.services.iam.documents import LAMBDA, READ


def _make(iam: Any, kind: str) -> dict[str, str]:
    """Create something; return how calls name it."""
    match kind:
        case "policy":
            return {"PolicyArn": iam.create_policy(PolicyName="o", PolicyDocument=READ)["Policy"]["Arn"]}
        case "role":
            iam.create_role(RoleName="o", AssumeRolePolicyDocument=LAMBDA)
            return {"RoleName": "o"}
        case "user":
            iam.create_user(UserName="o")
            return {"UserName": "o"}
    iam.create_instance_profile(InstanceProfileName="o")
    return {"InstanceProfileName": "o"}


def _tag(**tags: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


@pytest.mark.parametrize("kind", ["user", "role", "instance_profile", "policy"])
def test_tags_are_put_and_taken(iam: Any, kind: str) -> None:
    named = _make(iam, kind)
    tag, untag, listed = (getattr(iam, name) for name in (f"tag_{kind}", f"untag_{kind}", f"list_{kind}_tags"))
    tag(**named, Tags=_tag(b="1", a="2"))
    tag(**named, Tags=_tag(b="3"))
    assert listed(**named)["Tags"] == _tag(a="2", b="3")
    page = listed(**named, MaxItems=1)
    assert page["Tags"] == _tag(a="2")
    assert listed(**named, Marker=page["Marker"])["Tags"] == _tag(b="3")
    untag(**named, TagKeys=["b", "c"])
    assert listed(**named)["Tags"] == _tag(a="2")
    assert refused(tag, **named, Tags=_tag(a="1") + _tag(a="2"))[0] == "InvalidInput"
    assert code_of(tag, **named, Tags=[{"Key": "aws:x", "Value": ""}]) == "InvalidInput"
    assert code_of(tag, **named, Tags=_tag(**{f"k{number}": "" for number in range(50)})) == "LimitExceeded"
    assert code_of(tag, **named, Tags=[{"Key": "#", "Value": ""}]) == "ValidationError"
    # Keys of users and roles are not distinguished by case.
    tag(**named, Tags=_tag(A="4"))
    expected = _tag(A="4") if kind in ("user", "role") else _tag(A="4", a="2")
    assert listed(**named)["Tags"] == expected
