"""Permissions to assume a role in strict mode: trust policies and their condition keys."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.core.kernel.identity import Principal, root
from tests.services.sts.conftest import ACCOUNT, OTHER, USER, Sts, policy, trust

_TAGS = [{"Key": "team", "Value": "red"}, {"Key": "cost", "Value": "1"}]


def _denied(sts: Sts, role: str, *, by: Principal | None = None, **params: Any) -> str:
    code, message = sts.refused("AssumeRole", by=by, RoleArn=role, RoleSessionName="session", **params)
    assert code == "AccessDenied"
    return message


def test_a_role_is_assumed_by_whom_its_policy_trusts(strict_sts: Sts) -> None:
    role = strict_sts.role(trust({"AWS": USER}))
    session = strict_sts.assume(role)
    assert session.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/admin/session"
    assert _denied(strict_sts, role, by=strict_sts.user("bob")) == (
        f"User: arn:aws:iam::{ACCOUNT}:user/bob is not authorized to perform: sts:AssumeRole on resource: {role} "
        "because no role trust policy allows the sts:AssumeRole action"
    )


def test_a_denial_in_the_policy_decides(strict_sts: Sts) -> None:
    allow = {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}
    deny = {"Effect": "Deny", "Principal": {"AWS": USER}, "Action": "sts:AssumeRole"}
    role = strict_sts.role(policy(allow, deny))
    assert _denied(strict_sts, role).endswith("with an explicit deny in the role trust policy")
    strict_sts.assume(role, by=strict_sts.user("bob"))


def test_a_principal_of_another_account_needs_to_be_trusted(strict_sts: Sts) -> None:
    role = strict_sts.role(trust({"AWS": OTHER}))
    session = strict_sts.assume(role, by=strict_sts.permit(account=OTHER))
    assert session.account == ACCOUNT
    _denied(strict_sts, role, by=strict_sts.user(account="333333333333"))


def test_roles_are_not_assumed_by_root_users(strict_sts: Sts) -> None:
    role = strict_sts.role(trust({"AWS": ACCOUNT}))
    assert _denied(strict_sts, role, by=root(ACCOUNT)) == "Roles may not be assumed by root accounts."


def test_a_service_assumes_a_role_that_trusts_it(strict_sts: Sts) -> None:
    role = strict_sts.role(trust({"Service": "lambda.amazonaws.com"}))
    service = Principal("service", ACCOUNT, "lambda.amazonaws.com", "lambda")
    strict_sts.assume(role, by=service)
    _denied(strict_sts, role, by=Principal("service", ACCOUNT, "ec2.amazonaws.com", "ec2"))


def test_a_missing_role_is_told_from_no_denied_one_by_its_code_alone(strict_sts: Sts) -> None:
    missing = f"arn:aws:iam::{ACCOUNT}:role/missing"
    assert _denied(strict_sts, missing) == (
        f"User: {USER} is not authorized to perform: sts:AssumeRole on resource: {missing}"
    )


@pytest.mark.parametrize(
    ("key", "value", "right", "wrong"),
    [
        ("sts:ExternalId", "secret", {"ExternalId": "secret"}, {"ExternalId": "other"}),
        ("sts:RoleSessionName", "session", {}, {"RoleSessionName": "other"}),
        ("sts:SourceIdentity", "ann", {"SourceIdentity": "ann"}, {"SourceIdentity": "bob"}),
        ("aws:RequestTag/team", "red", {"Tags": _TAGS}, {"Tags": [{"Key": "team", "Value": "blue"}]}),
    ],
)
def test_the_policy_has_conditions_on_what_is_passed(
    strict_sts: Sts, key: str, value: str, right: dict[str, Any], wrong: dict[str, Any]
) -> None:
    document = trust(
        {"AWS": USER}, "sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity", StringEquals={key: value}
    )
    role = strict_sts.role(document)
    named = {"RoleArn": role, "RoleSessionName": "session"}
    strict_sts.call("AssumeRole", **{**named, **right})
    assert strict_sts.refused("AssumeRole", **{**named, **wrong})[0] == "AccessDenied"


def test_the_policy_has_conditions_on_the_keys_of_tags(strict_sts: Sts) -> None:
    allowed = {"aws:TagKeys": ["team", "cost"], "sts:TransitiveTagKeys": ["team"]}
    document = trust({"AWS": USER}, "sts:AssumeRole", "sts:TagSession", **{"ForAllValues:StringEquals": allowed})
    role = strict_sts.role(document)
    strict_sts.assume(role, Tags=_TAGS, TransitiveTagKeys=["team"])
    _denied(strict_sts, role, Tags=_TAGS, TransitiveTagKeys=["cost"])
    _denied(strict_sts, role, Tags=[*_TAGS, {"Key": "other", "Value": ""}])


def test_tags_and_source_identities_must_be_allowed(strict_sts: Sts) -> None:
    role = strict_sts.role(trust({"AWS": USER}))
    assert "to perform: sts:TagSession on" in _denied(strict_sts, role, Tags=_TAGS)
    assert "to perform: sts:SetSourceIdentity on" in _denied(strict_sts, role, SourceIdentity="ann")


def test_inherited_tags_and_source_identities_must_be_allowed_too(strict_sts: Sts) -> None:
    first = strict_sts.role(trust({"AWS": USER}, "sts:*"), name="first")
    session = strict_sts.assume(first, Tags=_TAGS, TransitiveTagKeys=["team"], SourceIdentity="ann")
    plain = strict_sts.role(trust({"AWS": first}), name="plain")
    assert "to perform: sts:TagSession on" in _denied(strict_sts, plain, by=session)
    condition = {"aws:RequestTag/team": "red", "aws:PrincipalTag/cost": "1", "aws:SourceIdentity": "ann"}
    second = strict_sts.role(
        trust({"AWS": first}, "sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity", StringEquals=condition),
        name="second",
    )
    details = strict_sts.assume(second, by=session).session
    assert details is not None
    assert (details.tags, details.transitive_tags, details.source_identity) == ({"team": "red"}, ("team",), "ann")


def test_a_federated_user_assumes_no_role(strict_sts: Sts) -> None:
    role = strict_sts.role(trust("*"))
    federated = strict_sts.opened(strict_sts.call("GetFederationToken", by=strict_sts.permit(), Name="carol"))
    assert _denied(strict_sts, role, by=federated) == "Cannot call AssumeRole with session credentials"


def test_conditions_on_the_role_itself(strict_sts: Sts) -> None:
    condition = {"aws:ResourceTag/team": "red", "iam:ResourceTag/team": "red"}
    document = trust({"AWS": USER}, StringEquals=condition)
    tagged = strict_sts.role(document, name="tagged", Tags=[{"Key": "team", "Value": "red"}])
    strict_sts.assume(tagged)
    _denied(strict_sts, strict_sts.role(document, name="plain"))


def test_a_session_tells_all_that_policies_ask_about(strict_sts: Sts) -> None:
    role = strict_sts.role(trust({"AWS": USER}, "sts:*"), Path="/team/")
    document = policy({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    managed = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    session = strict_sts.assume(
        role,
        Policy=document,
        PolicyArns=[{"arn": managed}],
        Tags=_TAGS,
        TransitiveTagKeys=["team"],
        SourceIdentity="ann",
    )
    assert session.kind == "assumed-role"
    details = session.session
    assert details is not None
    assert details.issuer == role == f"arn:aws:iam::{ACCOUNT}:role/team/admin"
    assert (details.policies, details.policy_arns, details.has_policies) == ((document,), (managed,), True)
    assert (details.tags, details.transitive_tags) == ({"team": "red", "cost": "1"}, ("team",))
    assert (details.source_identity, details.issued_at, details.mfa_at) == ("ann", strict_sts.now, 0.0)
    assert (details.provider, details.keys) == ("", {})
    plain = strict_sts.assume(role).session
    assert plain is not None
    assert not plain.has_policies
