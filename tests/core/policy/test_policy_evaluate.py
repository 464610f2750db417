"""Decisions: IAM User Guide, "Policy evaluation logic" and "Cross-account policy evaluation logic"."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core.aws.policy import (
    Decision,
    Guardrail,
    Layer,
    NamedPolicy,
    Policies,
    Policy,
    PolicyError,
    Reason,
    Request,
    Usage,
    evaluate,
)


@dataclass(frozen=True)
class Who:
    kind: str
    account: str
    arn: str


HOME = "111122223333"
AWAY = "999999999999"
ROOT = Who("root", HOME, f"arn:aws:iam::{HOME}:root")
USER = Who("user", HOME, f"arn:aws:iam::{HOME}:user/division/bob")
SESSION = Who("assumed-role", HOME, f"arn:aws:sts::{HOME}:assumed-role/worker/monday")
FEDERATED = Who("federated-user", HOME, f"arn:aws:sts::{HOME}:federated-user/fay")
SNS = Who("service", "", "sns.amazonaws.com")
GOOGLE = Who("federated", "", "accounts.google.com")
NOBODY = Who("anonymous", "", "")
ROLE_ARN = f"arn:aws:iam::{HOME}:role/path/worker"

QUEUE = f"arn:aws:sqs:us-east-1:{HOME}:orders"
AWAY_QUEUE = f"arn:aws:sqs:us-east-1:{AWAY}:orders"


def policy(effect: str = "Allow", usage: Usage = Usage.ANY, name: str = "p", **elements: object) -> NamedPolicy:
    statement = {"Effect": effect, "Action": "*", "Resource": "*"} | elements
    if usage is Usage.TRUST:
        del statement["Resource"]
    return NamedPolicy(name, Policy.parse(json.dumps({"Version": "2012-10-17", "Statement": statement}), usage))


ALLOW = policy()
DENY = policy("Deny")
NOTHING = policy(Action="other:*")
"""A policy that is there and says nothing of the request."""


def to(principal: object, effect: str = "Allow", **elements: object) -> NamedPolicy:
    return policy(effect, Principal=principal, **elements)


def decide(who: Who, where: str = QUEUE, /, action: str = "sqs:SendMessage", **policies: object) -> Decision:
    request = Request(who, action, where, federated_by=USER.arn if who is FEDERATED else "")
    return evaluate(request, Policies(**policies))  # type: ignore[arg-type]


def outcome(decision: Decision) -> str:
    """``allowed``, or the reason and the layers of a denial."""
    if decision.allowed:
        return "allowed"
    return f"{decision.reason.value}: {', '.join(layer.name for layer in decision.layers)}"


IMPLICIT = "implicit deny: "
EXPLICIT = "explicit deny: "


class TestWithinOneAccount:
    @pytest.mark.parametrize(
        ("who", "policies", "expected"),
        [
            # "By default, all requests are implicitly denied with the exception of the root user."
            (USER, {}, IMPLICIT + "IDENTITY"),
            (SESSION, {}, IMPLICIT + "IDENTITY"),
            (ROOT, {}, "allowed"),
            # "You only need an explicit allow in either an identity-based or a resource-based policy."
            (USER, {"identity": (ALLOW,)}, "allowed"),
            (USER, {"identity": (NOTHING, ALLOW)}, "allowed"),
            (USER, {"identity": (NOTHING,)}, IMPLICIT + "IDENTITY"),
            (USER, {"identity": (ALLOW,), "resource": to({"AWS": AWAY})}, "allowed"),
            (USER, {"resource": to({"AWS": USER.arn})}, "allowed"),
            (USER, {"resource": to("*")}, "allowed"),
            (USER, {"resource": to({"AWS": AWAY})}, IMPLICIT + "IDENTITY, RESOURCE"),
            (USER, {"resource": to({"AWS": ROLE_ARN})}, IMPLICIT + "IDENTITY, RESOURCE"),
            # The account as principal delegates to its identity-based policies.
            (USER, {"resource": to({"AWS": HOME})}, IMPLICIT + "IDENTITY, RESOURCE"),
            (USER, {"resource": to({"AWS": ROOT.arn}), "identity": (ALLOW,)}, "allowed"),
            # "An explicit deny in any policy overrides any allows."
            (USER, {"identity": (ALLOW, DENY)}, EXPLICIT + "IDENTITY"),
            (USER, {"identity": (ALLOW,), "resource": to({"AWS": USER.arn}, "Deny")}, EXPLICIT + "RESOURCE"),
            (USER, {"identity": (ALLOW,), "resource": to({"AWS": HOME}, "Deny")}, EXPLICIT + "RESOURCE"),
            (
                SESSION,
                {"identity": (ALLOW,), "resource": to({"AWS": ROLE_ARN}, "Deny")},
                EXPLICIT + "RESOURCE",
            ),
            (USER, {"identity": (ALLOW,), "boundary": DENY}, EXPLICIT + "BOUNDARY"),
            (SESSION, {"identity": (ALLOW,), "session": (DENY,)}, EXPLICIT + "SESSION"),
            (
                USER,
                {"identity": (DENY,), "boundary": DENY, "resource": to("*")},
                EXPLICIT + "IDENTITY, BOUNDARY",
            ),
            # Boundaries and session policies intersect.
            (USER, {"identity": (ALLOW,), "boundary": ALLOW}, "allowed"),
            (USER, {"identity": (ALLOW,), "boundary": NOTHING}, IMPLICIT + "BOUNDARY"),
            (USER, {"boundary": ALLOW}, IMPLICIT + "IDENTITY"),
            (SESSION, {"identity": (ALLOW,)}, "allowed"),
            (SESSION, {"identity": (ALLOW,), "session": (NOTHING, ALLOW)}, "allowed"),
            (SESSION, {"identity": (ALLOW,), "session": (NOTHING,)}, IMPLICIT + "SESSION"),
            (SESSION, {"session": (ALLOW,)}, IMPLICIT + "IDENTITY"),
            (
                SESSION,
                {"identity": (ALLOW,), "boundary": NOTHING, "session": (NOTHING,)},
                IMPLICIT + "BOUNDARY, SESSION",
            ),
            # "If there is no session policy … a role session is allowed. Otherwise, implicitly denied."
            (FEDERATED, {"identity": (ALLOW,)}, IMPLICIT + "SESSION"),
            (FEDERATED, {"identity": (ALLOW,), "session": (ALLOW,)}, "allowed"),
        ],
    )
    def test_union_and_intersection(self, who: Who, policies: dict[str, object], expected: str) -> None:
        assert outcome(decide(who, **policies)) == expected

    @pytest.mark.parametrize(
        ("who", "named", "expected"),
        [
            # Table "Resource-based policies and implicit denies in other policy types (same account)".
            (USER, USER.arn, "allowed"),
            (SESSION, SESSION.arn, "allowed"),
            (SESSION, ROLE_ARN, IMPLICIT + "BOUNDARY, SESSION"),
            (FEDERATED, FEDERATED.arn, "allowed"),
            (FEDERATED, USER.arn, IMPLICIT + "BOUNDARY, SESSION"),
            (ROOT, ROOT.arn, "allowed"),
            # "Identity-based policy types … do not limit permissions granted … with a wildcard."
            (SESSION, "*", "allowed"),
            (USER, "*", "allowed"),
        ],
    )
    def test_what_limits_a_resource_policy_that_names(self, who: Who, named: str, expected: str) -> None:
        limits: dict[str, object] = {"identity": (NOTHING,), "boundary": NOTHING}
        if who in (SESSION, FEDERATED):
            limits["session"] = (NOTHING,)
        assert outcome(decide(who, resource=to({"AWS": named}), **limits)) == expected

    def test_a_role_is_named_whatever_its_path(self) -> None:
        assert decide(SESSION, resource=to({"AWS": f"arn:aws:iam::{HOME}:role/worker"})).allowed
        assert not decide(SESSION, resource=to({"AWS": f"arn:aws:iam::{HOME}:role/work"})).allowed
        assert not decide(SESSION, resource=to({"AWS": f"arn:aws:iam::{AWAY}:role/worker"})).allowed

    def test_the_most_direct_grant_counts(self) -> None:
        statements = [
            {"Effect": "Allow", "Principal": {"AWS": named}, "Action": "*"} for named in (HOME, SESSION.arn, ROLE_ARN)
        ]
        resource = NamedPolicy("queue", Policy.parse(json.dumps({"Statement": statements})))
        decision = decide(SESSION, resource=resource, boundary=NOTHING)
        assert decision.allowed
        assert [each.index for each in decision.statements] == [1]


class TestAnAccountsRoot:
    @pytest.mark.parametrize(
        ("action", "expected"),
        [
            ("s3:GetObject", EXPLICIT + "RESOURCE"),
            ("s3:GetBucketPolicy", "allowed"),
            ("s3:PutBucketPolicy", "allowed"),
            ("s3:DeleteBucketPolicy", "allowed"),
            ("s3:PutBucketAcl", EXPLICIT + "RESOURCE"),
            ("sqs:SetQueueAttributes", "allowed"),
            ("sqs:SendMessage", EXPLICIT + "RESOURCE"),
        ],
    )
    def test_is_denied_by_a_resource_policy_but_not_locked_out(self, action: str, expected: str) -> None:
        assert outcome(decide(ROOT, action=action, resource=to("*", "Deny"))) == expected

    def test_is_held_by_guardrails(self) -> None:
        rail = (Guardrail(Layer.SCP, (DENY,)),)
        assert outcome(decide(ROOT, action="s3:PutBucketPolicy", guardrails=rail)) == EXPLICIT + "SCP"

    def test_of_another_account_is_a_stranger(self) -> None:
        decision = decide(ROOT, AWAY_QUEUE, action="sqs:SetQueueAttributes", resource=to("*", "Deny"))
        assert outcome(decision) == EXPLICIT + "RESOURCE"


class TestAcrossAccounts:
    @pytest.mark.parametrize(
        ("who", "policies", "expected"),
        [
            (USER, {}, IMPLICIT + "RESOURCE, IDENTITY"),
            (USER, {"identity": (ALLOW,)}, IMPLICIT + "RESOURCE"),
            (USER, {"resource": to({"AWS": USER.arn})}, IMPLICIT + "IDENTITY"),
            (USER, {"resource": to("*")}, IMPLICIT + "IDENTITY"),
            (USER, {"resource": to({"AWS": USER.arn}), "identity": (ALLOW,)}, "allowed"),
            (USER, {"resource": to({"AWS": HOME}), "identity": (ALLOW,)}, "allowed"),
            (USER, {"resource": to("*"), "identity": (ALLOW,)}, "allowed"),
            (
                USER,
                {"resource": to({"AWS": HOME}), "identity": (ALLOW,), "boundary": NOTHING},
                IMPLICIT + "BOUNDARY",
            ),
            (SESSION, {"resource": to({"AWS": SESSION.arn}), "identity": (ALLOW,)}, "allowed"),
            (SESSION, {"resource": to({"AWS": SESSION.arn})}, IMPLICIT + "IDENTITY"),
            (SESSION, {"resource": to({"AWS": ROLE_ARN})}, IMPLICIT + "IDENTITY"),
            (
                SESSION,
                {"resource": to("*"), "identity": (ALLOW,), "session": (NOTHING,)},
                IMPLICIT + "SESSION",
            ),
            (ROOT, {}, IMPLICIT + "RESOURCE"),
            (ROOT, {"resource": to({"AWS": HOME})}, "allowed"),
            (ROOT, {"resource": to({"AWS": USER.arn})}, IMPLICIT + "RESOURCE"),
            (USER, {"resource": to("*"), "identity": (ALLOW, DENY)}, EXPLICIT + "IDENTITY"),
            (USER, {"resource": to({"AWS": HOME}, "Deny"), "identity": (ALLOW,)}, EXPLICIT + "RESOURCE"),
        ],
    )
    def test_both_accounts_must_allow(self, who: Who, policies: dict[str, object], expected: str) -> None:
        assert outcome(decide(who, AWAY_QUEUE, **policies)) == expected

    def test_the_owner_is_in_the_arn_or_given(self) -> None:
        bucket = "arn:aws:s3:::bucket"
        identity = Policies(identity=(ALLOW,))
        assert evaluate(Request(USER, "s3:ListBucket", bucket), identity).allowed
        assert not evaluate(Request(USER, "s3:ListBucket", bucket, resource_account=AWAY), identity).allowed
        assert evaluate(Request(USER, "iam:GetPolicy", "arn:aws:iam::aws:policy/X"), identity).allowed
        assert evaluate(Request(USER, "sqs:ListQueues", "*"), identity).allowed


class TestWhoBelongsToNoAccount:
    @pytest.mark.parametrize(
        ("who", "principal", "expected"),
        [
            (NOBODY, "*", "allowed"),
            (NOBODY, {"AWS": "*"}, "allowed"),
            (NOBODY, {"AWS": HOME}, IMPLICIT + "RESOURCE"),
            (NOBODY, {"Service": "sns.amazonaws.com"}, IMPLICIT + "RESOURCE"),
            (SNS, {"Service": "sns.amazonaws.com"}, "allowed"),
            (SNS, {"Service": ["s3.amazonaws.com", "sns.amazonaws.com"]}, "allowed"),
            (SNS, {"Service": "s3.amazonaws.com"}, IMPLICIT + "RESOURCE"),
            (SNS, {"AWS": HOME}, IMPLICIT + "RESOURCE"),
            (SNS, "*", "allowed"),
            (GOOGLE, {"Federated": "accounts.google.com"}, "allowed"),
            (GOOGLE, {"Service": "accounts.google.com"}, IMPLICIT + "RESOURCE"),
            (
                USER,
                {"Service": USER.arn.replace(":", ".").replace("/", ".")},
                IMPLICIT + "IDENTITY, RESOURCE",
            ),
        ],
    )
    def test_needs_a_resource_policy(self, who: Who, principal: object, expected: str) -> None:
        assert outcome(decide(who, resource=to(principal))) == expected

    def test_gets_nothing_from_other_policies(self) -> None:
        for who in (NOBODY, SNS, GOOGLE):
            assert outcome(decide(who, identity=(ALLOW,))) == IMPLICIT + "RESOURCE"

    def test_is_not_held_by_scps_but_by_rcps(self) -> None:
        for who in (NOBODY, SNS, GOOGLE):
            assert decide(who, resource=to("*"), guardrails=(Guardrail(Layer.SCP, (DENY,)),)).allowed
            assert not decide(who, resource=to("*"), guardrails=(Guardrail(Layer.RCP, (to("*", "Deny"),)),)).allowed


class TestGuardrails:
    @pytest.mark.parametrize(
        ("levels", "expected"),
        [
            ([[ALLOW], [ALLOW]], "allowed"),
            ([[ALLOW], [NOTHING]], IMPLICIT + "SCP"),
            ([[ALLOW], [NOTHING, ALLOW]], "allowed"),
            ([[ALLOW], []], IMPLICIT + "SCP"),
            ([[ALLOW, DENY], [ALLOW]], EXPLICIT + "SCP"),
        ],
    )
    def test_each_level_must_allow(self, levels: Sequence[Sequence[NamedPolicy]], expected: str) -> None:
        rails = tuple(Guardrail(Layer.SCP, tuple(level)) for level in levels)
        for granted in ({"identity": (ALLOW,)}, {"resource": to({"AWS": USER.arn})}):
            assert outcome(decide(USER, guardrails=rails, **granted)) == expected

    def test_grant_nothing(self) -> None:
        assert not decide(USER, guardrails=(Guardrail(Layer.SCP, (ALLOW,)),)).allowed

    def test_of_a_vpc_endpoint_look_at_principals(self) -> None:
        rail = (Guardrail(Layer.ENDPOINT, (to({"AWS": USER.arn}),)),)
        assert decide(USER, identity=(ALLOW,), guardrails=rail).allowed
        assert outcome(decide(SESSION, identity=(ALLOW,), guardrails=rail)) == IMPLICIT + "ENDPOINT"


class TestWhereTheResourcePolicyIsTheOnlyWayIn:
    """ "IAM role trust policies and KMS key policies … must explicitly allow access for principals.\""""

    @pytest.mark.parametrize(
        ("who", "named", "identity", "expected"),
        [
            (USER, {"AWS": HOME}, (ALLOW,), "allowed"),
            (USER, {"AWS": HOME}, (), IMPLICIT + "IDENTITY"),
            (USER, {"AWS": USER.arn}, (), "allowed"),
            (USER, {"AWS": AWAY}, (ALLOW,), IMPLICIT + "TRUST"),
            (ROOT, {"AWS": HOME}, (), "allowed"),
            (ROOT, {"AWS": AWAY}, (), IMPLICIT + "TRUST"),
            (SNS, {"Service": "sns.amazonaws.com"}, (), "allowed"),
        ],
    )
    def test_a_trust_policy(self, who: Who, named: object, identity: tuple[NamedPolicy, ...], expected: str) -> None:
        trust = policy(usage=Usage.TRUST, Principal=named, Action="sts:AssumeRole")
        assert outcome(decide(who, ROLE_ARN, action="sts:AssumeRole", identity=identity, resource=trust)) == expected

    def test_a_key(self) -> None:
        key = f"arn:aws:kms:us-east-1:{HOME}:key/x"
        assert outcome(decide(USER, key, identity=(ALLOW,), resource_must_allow=True)) == IMPLICIT + "RESOURCE"
        delegated = {"identity": (ALLOW,), "resource": to({"AWS": ROOT.arn}), "resource_must_allow": True}
        assert decide(USER, key, **delegated).allowed


class TestNotPrincipal:
    @staticmethod
    def denied(who: Who, *spared: str) -> bool:
        resource = NamedPolicy("r", policy("Deny", NotPrincipal={"AWS": list(spared)}).policy)
        return decide(who, identity=(ALLOW,), resource=resource).reason is Reason.EXPLICIT_DENY

    def test_spares_a_user_named_with_its_account(self) -> None:
        assert not self.denied(USER, USER.arn, ROOT.arn)
        assert self.denied(USER, USER.arn)
        assert self.denied(USER, ROOT.arn)
        assert self.denied(SESSION, USER.arn, ROOT.arn)

    def test_spares_a_session_named_with_its_role_and_account(self) -> None:
        assert not self.denied(SESSION, SESSION.arn, ROLE_ARN, ROOT.arn)
        assert self.denied(SESSION, SESSION.arn, ROOT.arn)
        assert self.denied(SESSION, ROLE_ARN, ROOT.arn)

    def test_spares_others(self) -> None:
        assert not self.denied(ROOT, HOME)
        assert not self.denied(NOBODY, "*")
        assert self.denied(NOBODY, HOME)
        assert self.denied(SNS, HOME)

    def test_with_allow_is_everyone_else(self) -> None:
        resource = NamedPolicy("r", policy(NotPrincipal={"AWS": HOME}).policy)
        assert not decide(USER, resource=resource).allowed
        assert decide(NOBODY, resource=resource).allowed


@pytest.mark.parametrize(
    ("name", "region", "is_meant"),
    [
        ("sns.eu-west-1.amazonaws.com", "eu-west-1", True),
        ("sns.eu-west-1.amazonaws.com", "eu-west-2", False),
        ("s3.eu-west-1.amazonaws.com", "eu-west-1", False),
        ("sns.amazonaws.com", "eu-west-1", True),
        ("sns.amazonaws.com.cn", "cn-north-1", True),
        ("sns.cn-north-1.amazonaws.com.cn", "cn-north-1", True),
        ("sns.amazonaws.com.cn", "eu-west-1", False),
    ],
)
def test_a_service_has_a_name_in_its_region(name: str, region: str, is_meant: bool) -> None:
    def of(resource: NamedPolicy) -> bool:
        request = Request(SNS, "sqs:SendMessage", QUEUE, {"aws:RequestedRegion": region})
        return evaluate(request, Policies(resource=resource)).allowed

    assert of(to({"Service": name})) == is_meant
    everyone = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
    others = {"Effect": "Deny", "NotPrincipal": {"Service": name}, "Action": "*", "Resource": "*"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [everyone, others]})
    assert of(NamedPolicy("r", Policy.parse(text, Usage.RESOURCE))) == is_meant


def test_canonical_user_ids_mean_an_account() -> None:
    resource = to({"CanonicalUser": "79a59df9"})
    request = Request(USER, "s3:GetObject", "arn:aws:s3:::b/k", {}, AWAY, canonical_user="79a59df9")
    assert evaluate(request, Policies(identity=(ALLOW,), resource=resource)).allowed
    assert not evaluate(request, Policies(resource=resource)).allowed


def test_the_guides_example_of_carlos() -> None:
    """Section "Example identity-based and resource-based policy evaluation"."""
    carlos = Who("user", "123456789012", "arn:aws:iam::123456789012:user/carlossalazar")
    own = ["arn:aws:s3:::carlossalazar/*", "arn:aws:s3:::carlossalazar"]
    identity = Policy.parse(
        json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Sid": "AllowS3ListRead",
                        "Effect": "Allow",
                        "Action": "s3:ListAllMyBuckets",
                        "Resource": "arn:aws:s3:::*",
                    },
                    {"Sid": "AllowS3Self", "Effect": "Allow", "Action": "s3:*", "Resource": own},
                    {
                        "Sid": "DenyS3Logs",
                        "Effect": "Deny",
                        "Action": "s3:*",
                        "Resource": "arn:aws:s3:::*log*",
                    },
                ],
            }
        ),
        Usage.IDENTITY,
    )
    bucket = to({"AWS": carlos.arn}, Action="s3:*", Resource=own)
    policies = Policies(identity=(NamedPolicy("carlos", identity),), resource=bucket)
    to_logs = evaluate(Request(carlos, "s3:PutObject", "arn:aws:s3:::carlossalazar-logs/x"), policies)
    assert outcome(to_logs) == EXPLICIT + "IDENTITY"
    assert [each.statement.sid for each in to_logs.statements] == ["DenyS3Logs"]
    to_own = evaluate(Request(carlos, "s3:PutObject", "arn:aws:s3:::carlossalazar/x"), policies)
    assert [(each.layer, each.index) for each in to_own.statements] == [
        (Layer.RESOURCE, 0),
        (Layer.IDENTITY, 1),
    ]


# --- Laws that hold for all policies ------------------------------------------------------------------

principals = st.sampled_from(["*", {"AWS": HOME}, {"AWS": USER.arn}, {"AWS": ROLE_ARN}, {"Service": SNS.arn}])
some = st.lists(st.sampled_from([ALLOW, DENY, NOTHING]), max_size=3).map(tuple)
situations = st.fixed_dictionaries(
    {
        "identity": some,
        "boundary": st.none() | st.sampled_from([ALLOW, NOTHING]),
        "session": some,
        "resource": st.none() | st.builds(to, principals, st.sampled_from(["Allow", "Deny"])),
        "guardrails": st.lists(st.builds(Guardrail, st.sampled_from([Layer.SCP, Layer.RCP]), some), max_size=2).map(
            tuple
        ),
        "resource_must_allow": st.booleans(),
    }
)
anyone = st.sampled_from([ROOT, USER, SESSION, FEDERATED, SNS, GOOGLE, NOBODY])
anywhere = st.sampled_from([QUEUE, AWAY_QUEUE])


@given(anyone, anywhere, situations)
def test_a_deny_is_final(who: Who, where: str, situation: dict[str, object]) -> None:
    for more in (
        {"resource": to("*", "Deny")},
        {"identity": (DENY,)},
        {"boundary": DENY},
        {"session": (DENY,)},
    ):
        assert decide(who, where, **situation | more).reason is Reason.EXPLICIT_DENY


@given(anyone, anywhere, situations)
def test_a_limit_never_widens(who: Who, where: str, situation: dict[str, object]) -> None:
    free = decide(who, where, **situation | {"boundary": None, "guardrails": ()})
    limited = decide(who, where, **situation)
    assert free.allowed or not limited.allowed


@given(anyone, anywhere, situations)
def test_another_allow_never_narrows(who: Who, where: str, situation: dict[str, object]) -> None:
    identity = situation["identity"]
    assert isinstance(identity, tuple)
    before = decide(who, where, **situation)
    after = decide(who, where, **situation | {"identity": (*identity, ALLOW)})
    assert after.allowed or not before.allowed


@given(anyone, anywhere, situations)
def test_every_decision_explains_itself(who: Who, where: str, situation: dict[str, object]) -> None:
    decision = decide(who, where, **situation)
    assert decision.explanation.startswith(decision.message)
    assert bool(decision.layers) is not decision.allowed
    assert decision.statements or decision.reason is Reason.IMPLICIT_DENY or who is ROOT


odd = st.text(alphabet="*?${}:,'/ a1.-", max_size=8) | st.sampled_from(
    ["${aws:username}", "10.0.0.0/8", "2020-01-01", "7", "true", "arn:aws:sqs:*:*:${aws:x, 'y'}"]
)
odd_keys = st.sampled_from(["aws:username", "aws:x", "AWS:X"])
odd_conditions = st.dictionaries(
    st.sampled_from(
        ["StringLike", "StringNotEqualsIfExists", "ForAllValues:ArnLike", "Null", "IpAddress", "DateEquals"]
    ),
    st.dictionaries(odd_keys, odd | st.lists(odd, max_size=3), max_size=1),
    max_size=2,
)


@given(
    st.sampled_from(["Resource", "NotResource"]),
    odd | st.lists(odd, min_size=1, max_size=3),
    odd_conditions,
    st.dictionaries(odd_keys, odd | st.lists(odd, max_size=3)),
    odd,
    odd,
)
def test_any_policy_answers_any_request(
    element: str,
    resources: object,
    conditions: dict[str, object],
    context: dict[str, str | list[str]],
    action: str,
    resource: str,
) -> None:
    statement = {"Effect": "Allow", "Action": "*", element: resources, "Condition": conditions}
    try:
        parsed = Policy.parse(json.dumps({"Version": "2012-10-17", "Statement": statement}))
    except PolicyError:
        return
    decision = evaluate(Request(USER, action, resource, context), Policies(identity=(NamedPolicy("odd", parsed),)))
    assert decision.explanation
