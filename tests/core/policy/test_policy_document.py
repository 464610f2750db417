"""Documents: IAM User Guide, "Grammar of the IAM JSON policy language" and the element reference."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloudlet.core.aws.policy import Effect, Policy, PolicyError, Usage


def statement(**elements: object) -> dict[str, object]:
    """A valid statement with some elements changed, or taken away by None."""
    whole = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"} | elements
    return {name: value for name, value in whole.items() if value is not None}


def document(*statements: object, **elements: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)} | elements)


def test_a_whole_policy() -> None:
    policy = Policy.parse(
        json.dumps(
            {
                "Id": "cd3ad3d9-2776-4ef1-a904-4c229d1642ee",
                "Statement": {
                    "Sid": "some words",
                    "Effect": "Deny",
                    "NotPrincipal": {"AWS": ["111122223333"], "Service": "sns.amazonaws.com"},
                    "NotAction": ["sqs:Get*", "SQS:List*"],
                    "NotResource": "arn:aws:sqs:*:*:orders",
                    "Condition": {
                        "NumericLessThan": {"x:count": 10},
                        "Bool": {"aws:SecureTransport": False},
                        "StringEquals": {"x:name": ["a", "b"]},
                    },
                },
            }
        )
    )
    assert policy.version == "2008-10-17"
    assert policy.id == "cd3ad3d9-2776-4ef1-a904-4c229d1642ee"
    (only,) = policy.statements
    assert only.sid == "some words"
    assert only.effect is Effect.DENY
    assert only.principals is not None
    assert only.principals.negated
    assert only.principals.written == (("AWS", "111122223333"), ("Service", "sns.amazonaws.com"))
    assert only.actions.negated
    assert only.actions.written == ("sqs:Get*", "SQS:List*")
    assert only.resources is not None
    assert only.resources.negated
    assert [(each.operator, each.key, each.values) for each in only.conditions] == [
        ("NumericLessThan", "x:count", ("10",)),
        ("Bool", "aws:SecureTransport", ("false",)),
        ("StringEquals", "x:name", ("a", "b")),
    ]


def test_policies_are_values() -> None:
    text = document(statement(Condition={"StringLike": {"aws:x": "a*"}}))
    assert Policy.parse(text) == Policy.parse(text)
    assert len({Policy.parse(text), Policy.parse(text)}) == 1


GITHUB = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"


@pytest.mark.parametrize(
    "principal",
    [
        "*",
        {"AWS": "*"},
        {"AWS": "123456789012"},
        {"AWS": ["123456789012", "arn:aws:iam::555555555555:root"]},
        {"AWS": "arn:aws:iam::111122223333:user/division/bob"},
        {"AWS": "arn:aws:iam::111122223333:role/path/worker"},
        {"AWS": "arn:aws-cn:iam::111122223333:role/worker"},
        {"AWS": "arn:aws:sts::111122223333:assumed-role/worker/session@x"},
        {"AWS": "arn:aws:sts::111122223333:federated-user/bob"},
        {"AWS": "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1EXAMPLE"},
        {"AWS": "AIDACKCEVSQ6C2EXAMPLE"},
        {"Service": ["ecs.amazonaws.com", "elasticloadbalancing.amazonaws.com"]},
        {"Federated": "cognito-identity.amazonaws.com"},
        {"Federated": [GITHUB, "arn:aws:iam::111122223333:saml-provider/corp"]},
        {"CanonicalUser": "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"},
    ],
)
def test_principals(principal: object) -> None:
    assert Policy.parse(document(statement(Principal=principal))).statements[0].principals is not None


@pytest.mark.parametrize(
    "principal",
    [
        "123456789012",
        {},
        [],
        {"AWS": []},
        {"AWS": "12345"},
        {"AWS": "arn:aws:iam::111122223333:user/*"},
        {"AWS": "arn:aws:sts::111122223333:assumed-role/worker/*"},
        {"AWS": "arn:aws:iam::111122223333:group/all"},
        {"AWS": "arn:aws:iam::111122223333"},
        {"AWS": "111122223333:root"},
        {"AWS": "arn:aws:sqs:us-east-1:111122223333:orders"},
        {"AWS": "bob"},
        {"AWS": {"x": "y"}},
        {"AWS": 123456789012},
        {"Service": "*"},
        {"Federated": "*"},
        {"Group": "x"},
        None,
    ],
)
def test_what_is_no_principal(principal: object) -> None:
    text = document({"Effect": "Allow", "Principal": principal, "Action": "*"})
    with pytest.raises(PolicyError) as raised:
        Policy.parse(text)
    assert raised.value.where.startswith("Statement[0].Principal")


@pytest.mark.parametrize(
    ("text", "message", "where"),
    [
        ("", "Syntax errors in policy", ""),
        ("{", "Syntax errors in policy", ""),
        ("null", "Syntax errors in policy: expected an object", ""),
        ("[]", "expected an object, not a list", ""),
        ("NaN", "Syntax errors in policy", ""),
        ("[" * 100_000, "nested too deeply", ""),
        ('{"Version": ' + "9" * 5_000 + "}", "a number of 5000 characters", ""),
        ('{"a":' * 100_000, "nested too deeply", ""),
        ("{}", "Missing required field Statement", ""),
        (document(), "Statement is empty", "Statement"),
        (document(statement(), 7), "expected an object, not 7", "Statement[1]"),
        (document(statement(), Version="2012-10-18"), "valid version string", "Version"),
        (document(statement(), Version=2012), "valid version string", "Version"),
        (document(statement(), Version={}), "valid version string", "Version"),
        (document(statement(), Id=5), "expected a string, not 5", "Id"),
        (document(statement(), Statements=[]), "'Statements' is not valid", ""),
        (document(statement(Effects="x")), "'Effects' is not valid", "Statement[0]"),
        (document(statement(Effect=None)), "Missing required field Effect", "Statement[0]"),
        (document(statement(Effect="allow")), "Invalid effect: 'allow'", "Statement[0].Effect"),
        (document(statement(Effect=["Allow"])), "Invalid effect: a list", "Statement[0].Effect"),
        (document(statement(Sid=["x"])), "expected a string", "Statement[0].Sid"),
        (document(statement(Action=None)), "must contain actions", "Statement[0]"),
        (document(statement(Action=[])), "must contain actions", "Statement[0].Action"),
        (
            document(statement(Action=["sqs:*", "SendMessage"])),
            "prefaced by a vendor",
            "Statement[0].Action[1]",
        ),
        (document(statement(Action="sqs:")), "prefaced by a vendor", "Statement[0].Action"),
        (document(statement(Action="sqs:Send:Message")), "only one colon", "Statement[0].Action"),
        (document(statement(Action="s*:Get")), "Vendor s* is not valid", "Statement[0].Action"),
        (document(statement(Action=5)), "expected a string, not 5", "Statement[0].Action"),
        (document(statement(NotAction="*")), "Action and NotAction", "Statement[0]"),
        (document(statement(NotResource="*")), "Resource and NotResource", "Statement[0]"),
        (document(statement(Principal="*", NotPrincipal="*")), "Principal and NotPrincipal", "Statement[0]"),
        (document(statement(Resource=None)), "must contain resources", "Statement[0]"),
        (document(statement(Resource=[])), "must contain resources", "Statement[0].Resource"),
        (document(statement(Resource=["*", "a${b"])), "missing a closing", "Statement[0].Resource[1]"),
        (document(statement(Condition=[])), "expected an object", "Statement[0].Condition"),
        (
            document(statement(Condition={"Foo": {"a:b": "c"}})),
            "'Foo' is not valid",
            "Statement[0].Condition.Foo.a:b",
        ),
        (document(statement(Condition={"Bool": "x"})), "expected an object", "Statement[0].Condition.Bool"),
        (
            document(statement(Condition={"Bool": {"SecureTransport": "true"}})),
            "service:keyname",
            "Statement[0].Condition.Bool.SecureTransport",
        ),
        (
            document(statement(Condition={"StringEquals": {"aws:x": "1", "AWS:X": "2"}})),
            "more than once",
            "Statement[0].Condition.StringEquals.AWS:X",
        ),
        (
            document(statement(Condition={"StringEquals": {"aws:x": None}})),
            "None is not a string",
            "Statement[0].Condition.StringEquals.aws:x",
        ),
        (
            document(statement(Condition={"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "10.0.0.0/64"]}})),
            "'10.0.0.0/64' is not an IP address or range",
            "Statement[0].Condition.IpAddress.aws:SourceIp",
        ),
        (
            '{"Statement": {"Effect": "Allow", "Effect": "Deny"}}',
            "'Effect' appears more than once",
            "Statement",
        ),
    ],
)
def test_an_error_says_what_and_where(text: str, message: str, where: str) -> None:
    with pytest.raises(PolicyError) as raised:
        Policy.parse(text)
    assert message in raised.value.message
    assert raised.value.where == where
    assert where in str(raised.value)


EVERYONE = statement(Principal="*")
TRUST = statement(Principal={"Service": "lambda.amazonaws.com"}, Action="sts:AssumeRole", Resource=None)


@pytest.mark.parametrize(
    ("usage", "text", "message"),
    [
        (Usage.IDENTITY, document(statement()), None),
        (Usage.IDENTITY, document(statement(Sid=""), statement(Sid="")), None),
        (Usage.IDENTITY, document(statement(Resource="arn:aws:iam::*")), None),
        (Usage.IDENTITY, document(statement(Resource="arn:aws:sqs:*:*:${aws:username}")), None),
        (Usage.IDENTITY, document(EVERYONE), "should not specify a principal"),
        (Usage.IDENTITY, document(statement(), Id="x"), "prohibited field Id"),
        (Usage.IDENTITY, document(statement(Sid="a b")), "must be alpha-numeric"),
        (Usage.IDENTITY, document(statement(Sid="a"), statement(Sid="a")), "must be unique"),
        (Usage.IDENTITY, document(statement(Resource="orders")), "must be in ARN format"),
        (Usage.IDENTITY, document(statement(Resource="arn:aws:sqs:orders")), "must be in ARN format"),
        (Usage.IDENTITY, document(statement(Resource=None)), "must contain resources"),
        (Usage.RESOURCE, document(EVERYONE, Id="x"), None),
        (
            Usage.RESOURCE,
            document(statement(Principal="*", Sid="a b"), statement(Principal="*", Sid="a b")),
            None,
        ),
        (Usage.RESOURCE, document(statement(Principal="*", Resource=None)), None),
        (Usage.RESOURCE, document(statement(Principal="*", Resource="execute-api:/*")), None),
        (Usage.RESOURCE, document(statement()), "Missing required field Principal"),
        (Usage.TRUST, document(TRUST), None),
        (Usage.TRUST, document(EVERYONE), "prohibited field Resource"),
        (Usage.TRUST, document(statement(Resource=None)), "Missing required field Principal"),
        (Usage.TRUST, document(statement(NotPrincipal="*", Resource=None)), "prohibited field NotPrincipal"),
        (Usage.ANY, document(statement()), None),
        (Usage.ANY, document(EVERYONE), None),
        (Usage.ANY, document(TRUST), None),
    ],
)
def test_what_a_policy_is_attached_to_decides_its_elements(usage: Usage, text: str, message: str | None) -> None:
    if message is None:
        assert Policy.parse(text, usage).usage is usage
    else:
        with pytest.raises(PolicyError, match=message):
            Policy.parse(text, usage)


def test_giant_lists() -> None:
    actions = [f"sqs:Action{index}" for index in range(50_000)]
    policy = Policy.parse(document(statement(Action=actions)))
    assert policy.statements[0].actions.covers("sqs:action49999")


# --- Any text is a policy or a PolicyError ------------------------------------------------------------

scraps = st.sampled_from(
    [
        "*",
        "Allow",
        "Deny",
        "2012-10-17",
        "sqs:*",
        "arn:aws:sqs:*:*:${aws:username}",
        "${",
        "true",
        "123456789012",
    ]
)
elements = st.sampled_from(
    ["Version", "Id", "Statement", "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource"]
)
kinds = st.sampled_from(["AWS", "Service", "Federated", "CanonicalUser"])
operators = st.sampled_from(
    ["StringEquals", "ForAllValues:StringLike", "Null", "IpAddress", "DateEquals", "NumericLessThan", "BinaryEquals"]
)
keys = st.sampled_from(["aws:SourceIp", "aws:x"])
names = elements | kinds | operators | keys | st.text(max_size=4)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | scraps,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5),
    max_leaves=25,
)
good: dict[str, st.SearchStrategy[object]] = {
    "Effect": st.sampled_from(["Allow", "Deny"]),
    "Action": st.sampled_from(["*", "sqs:*", ["sqs:Send*", "s3:GetObject"]]),
    "Resource": st.sampled_from(["*", "arn:aws:sqs:*:*:${aws:username}", ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]]),
}
maybe_good: dict[str, st.SearchStrategy[object]] = {
    "Principal": scraps | st.dictionaries(kinds, scraps | values, min_size=1, max_size=2),
    "Condition": st.dictionaries(operators, st.dictionaries(keys, scraps | values, max_size=2), max_size=2),
    "Sid": values,
}
near_policies = st.builds(
    lambda version, statement: {"Version": version, "Statement": statement},
    st.sampled_from(["2008-10-17", "2012-10-17"]),
    st.fixed_dictionaries(good)
    | st.fixed_dictionaries(good, optional=maybe_good)
    | st.fixed_dictionaries(good | {"Action": values})
    | st.fixed_dictionaries(good | {"Resource": values}),
)


@given(st.text() | st.builds(json.dumps, values) | st.builds(json.dumps, near_policies), st.sampled_from(Usage))
@example(
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"\\ud800:x","Resource":"\\ud800"}}',
    Usage.ANY,
)
@example(document(statement(Condition={"NumericEquals": {"a:b": 7}})).replace("7", "7" * 5000), Usage.ANY)
def test_any_text_is_a_policy_or_an_error(text: str, usage: Usage) -> None:
    try:
        policy = Policy.parse(text, usage)
    except PolicyError:
        return
    assert policy.statements
