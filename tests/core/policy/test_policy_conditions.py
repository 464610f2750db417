"""Conditions: IAM User Guide, "IAM JSON policy elements: Condition operators" and what it links to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core.aws.policy import Condition, PolicyError

Has = str | list[str] | None
"""What the request has under the condition key: a value, many values, or None for no such key."""


def holds(operator: str, wanted: str | list[str], has: Has, **others: str) -> bool:
    values = (wanted,) if isinstance(wanted, str) else tuple(wanted)
    context: dict[str, str | list[str]] = {key.replace("_", ":"): value for key, value in others.items()}
    if has is not None:
        context["x:key"] = has
    return Condition(operator, "X:Key", values).holds(context)


@pytest.mark.parametrize(
    ("operator", "wanted", "has", "expected"),
    [
        # Strings
        ("StringEquals", "blue", "blue", True),
        ("StringEquals", "blue", "Blue", False),
        ("StringEquals", "bl*", "blue", False),
        ("StringEquals", "bl*", "bl*", True),
        ("StringEquals", ["red", "blue"], "blue", True),
        ("StringEqualsIgnoreCase", "johndoe", "JohnDoe", True),
        ("StringEqualsIgnoreCase", "johndoe", "JaneDoe", False),
        ("StringLike", "t2.*", "t2.micro", True),
        ("StringLike", "t?.*", "t2.micro", True),
        ("StringLike", "T2.*", "t2.micro", False),
        ("StringLike", ["", "home/", "home/bob/"], "", True),
        ("StringLike", "finance/*:x", "finance/a:b:x", True),
        # Numbers
        ("NumericEquals", "10", "10.0", True),
        ("NumericEquals", "9007199254740993", "9007199254740992", False),
        ("NumericLessThanEquals", "10", "10", True),
        ("NumericLessThanEquals", "10", "11", False),
        ("NumericLessThan", "10", "9", True),
        ("NumericGreaterThan", "-1.5", "-1", True),
        ("NumericGreaterThanEquals", "10", "9.99", False),
        ("NumericLessThan", ["5", "20"], "10", True),
        ("NumericLessThan", "10", "few", False),
        ("NumericEquals", "10", "NaN", False),
        # Dates
        ("DateGreaterThan", "2020-01-01T00:00:01Z", "2020-01-01T00:00:02Z", True),
        ("DateGreaterThan", "2020-01-01T00:00:01Z", "2020-01-01T00:00:01Z", False),
        ("DateEquals", "2020-01-01", "2020-01-01T00:00:00Z", True),
        ("DateEquals", "2020-01-01T02:00:00+02:00", "2020-01-01T00:00Z", True),
        ("DateEquals", "1577836800", "2020-01-01T00:00:00Z", True),
        ("DateEquals", "2020", "2020-01", True),
        ("DateLessThan", "2020-01-01T00:00:00.5Z", "2020-01-01T00:00:00.25Z", True),
        ("DateLessThanEquals", "2020-01-01", "tomorrow", False),
        # Booleans
        ("Bool", "true", "true", True),
        ("Bool", "true", "false", False),
        ("Bool", "False", "false", True),
        # Binary: base64 of the same bytes
        ("BinaryEquals", "QmluYXJ5VmFsdWVJbkJhc2U2NA==", "QmluYXJ5VmFsdWVJbkJhc2U2NA==", True),
        ("BinaryEquals", "QmluYXJ5VmFsdWVJbkJhc2U2NA==", "QmluYXJ5", False),
        ("BinaryEquals", "QmluYXJ5", "not base64", False),
        # Addresses
        ("IpAddress", "203.0.113.0/24", "203.0.113.255", True),
        ("IpAddress", "203.0.113.0/24", "203.0.114.0", False),
        ("IpAddress", "203.0.113.7", "203.0.113.7", True),
        ("IpAddress", "203.0.113.7", "203.0.113.8", False),
        ("IpAddress", "203.0.113.7/24", "203.0.113.8", True),
        ("IpAddress", ["203.0.113.0/24", "2001:DB8:1234:5678::/64"], "2001:db8:1234:5678::1", True),
        ("IpAddress", "::/0", "203.0.113.7", False),
        ("IpAddress", "0.0.0.0/0", "nowhere", False),
        ("NotIpAddress", ["203.0.113.0/24", "198.51.100.0/24"], "198.51.100.7", False),
        ("NotIpAddress", ["203.0.113.0/24", "198.51.100.0/24"], "192.0.2.1", True),
        # ARNs: "each of the six colon-delimited components is checked separately"
        (
            "ArnEquals",
            "arn:aws:sns:us-east-1:111122223333:topic",
            "arn:aws:sns:us-east-1:111122223333:topic",
            True,
        ),
        ("ArnEquals", "arn:aws:sns:*:111122223333:t*", "arn:aws:sns:us-east-1:111122223333:topic", True),
        ("ArnLike", "arn:aws:sns:*:111122223333:t?pic", "arn:aws:sns:us-east-1:111122223333:topic", True),
        (
            "StringLike",
            "arn:aws:someservice:*:111122223333:finance/*",
            "arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt",
            True,
        ),
        (
            "ArnLike",
            "arn:aws:someservice:*:111122223333:finance/*",
            "arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt",
            False,
        ),
        ("ArnNotLike", "arn:aws:iam::*:role/*", "arn:aws:iam::111122223333:user/bob", True),
        ("ArnNotEquals", "arn:aws:iam::*:user/*", "arn:aws:iam::111122223333:user/bob", False),
    ],
)
def test_operators(operator: str, wanted: str | list[str], has: Has, expected: bool) -> None:
    assert holds(operator, wanted, has) is expected
    assert holds(operator.lower(), wanted, has) is expected
    assert holds(f"{operator}IfExists", wanted, has) is expected


POSITIVE = [
    ("StringEquals", "x"),
    ("StringEqualsIgnoreCase", "x"),
    ("StringLike", "x*"),
    ("NumericEquals", "1"),
    ("NumericLessThan", "1"),
    ("DateEquals", "2020-01-01"),
    ("DateGreaterThanEquals", "2020-01-01"),
    ("Bool", "true"),
    ("BinaryEquals", "QmluYXJ5"),
    ("IpAddress", "203.0.113.0/24"),
    ("ArnEquals", "arn:aws:s3:::b"),
    ("ArnLike", "arn:aws:s3:::b"),
]
NEGATED = [
    ("StringNotEquals", "x"),
    ("StringNotEqualsIgnoreCase", "x"),
    ("StringNotLike", "x*"),
    ("NumericNotEquals", "1"),
    ("DateNotEquals", "2020-01-01"),
    ("NotIpAddress", "203.0.113.0/24"),
    ("ArnNotEquals", "arn:aws:s3:::b"),
    ("ArnNotLike", "arn:aws:s3:::b"),
]


@pytest.mark.parametrize("has", [None, []])
class TestAMissingKey:
    """ "The values do not match and the condition is false"; for negated operators it is true."""

    @pytest.mark.parametrize(("operator", "wanted"), POSITIVE)
    def test_does_not_match(self, operator: str, wanted: str, has: Has) -> None:
        assert not holds(operator, wanted, has)
        assert holds(f"{operator}IfExists", wanted, has)
        assert holds(f"ForAllValues:{operator}", wanted, has)
        assert not holds(f"ForAnyValue:{operator}", wanted, has)

    @pytest.mark.parametrize(("operator", "wanted"), NEGATED)
    def test_matches_what_is_negated(self, operator: str, wanted: str, has: Has) -> None:
        assert holds(operator, wanted, has)
        assert holds(f"{operator}IfExists", wanted, has)
        assert holds(f"ForAllValues:{operator}", wanted, has)
        assert not holds(f"ForAnyValue:{operator}", wanted, has)

    @pytest.mark.parametrize("operator", ["ForAnyValue:StringEqualsIfExists", "ForAllValues:StringLikeIfExists"])
    def test_is_passed_over_by_if_exists(self, operator: str, has: Has) -> None:
        assert holds(operator, "x", has)


@pytest.mark.parametrize(
    ("operator", "wanted", "has", "expected"),
    [
        # A negated operator with many values is a NOR.
        ("StringNotEquals", ["a", "b"], "c", True),
        ("StringNotEquals", ["a", "b"], "b", False),
        ("StringNotLike", ["a*", "b*"], "by", False),
        # ForAllValues: each of the request's values matches one of the policy's.
        ("ForAllValues:StringEquals", ["ID", "Message", "Tags"], ["Message", "Tags"], True),
        (
            "ForAllValues:StringEquals",
            ["PostDateTime", "Message", "Tags"],
            ["PostDateTime", "UserName"],
            False,
        ),
        ("ForAllValues:StringEquals", ["a"], "", True),
        ("ForAllValues:StringEquals", ["a"], [""], True),
        ("ForAllValues:StringEquals", ["a"], "a", True),
        # ForAnyValue: one of the request's values matches one of the policy's.
        ("ForAnyValue:StringEquals", ["ID", "PostDateTime"], ["UserName", "Message", "PostDateTime"], True),
        ("ForAnyValue:StringEquals", ["ID", "PostDateTime"], ["UserName"], False),
        ("ForAnyValue:StringEquals", [""], "", False),
        # The guide's tables of "Multivalued context key examples".
        ("ForAllValues:StringNotLike", "key1*", ["key1:legal"], False),
        ("ForAllValues:StringNotLike", "key1*", ["key1:hr", "key1:personnel"], False),
        ("ForAllValues:StringNotLike", "key1*", ["key2:audit"], True),
        ("ForAnyValue:StringNotLike", "key1*", ["key1:hr", "key2:audit"], True),
        ("ForAnyValue:StringNotLike", "key1*", ["key1:hr", "key1:legal"], False),
        # Without a quantifier many values are tried each.
        ("StringEquals", "a", ["a", "b"], True),
        ("StringNotEquals", "a", ["a", "b"], False),
        # A condition without values matches nothing …
        ("StringEquals", [], "a", False),
        ("StringEqualsIfExists", [], "a", False),
        ("StringEqualsIfExists", [], None, True),
        ("ForAllValues:StringEquals", [], ["a"], False),
        ("ForAllValues:StringEquals", [], None, True),
        ("ForAnyValue:StringEquals", [], ["a"], False),
        # … and negated, everything.
        ("StringNotEquals", [], "a", True),
        # Null: a key that is absent, or that has an empty value.
        ("Null", "true", None, True),
        ("Null", "true", "x", False),
        ("Null", "true", "", True),
        ("Null", "true", [], True),
        ("Null", "false", "x", True),
        ("Null", "false", ["", "x"], True),
        ("Null", "False", None, False),
        ("Null", ["true", "false"], None, True),
        ("ForAllValues:Null", "false", None, True),
        ("ForAllValues:Null", "true", "x", True),
        ("ForAnyValue:Null", "true", None, False),
    ],
)
def test_many_values(operator: str, wanted: str | list[str], has: Has, expected: bool) -> None:
    assert holds(operator, wanted, has) is expected


@pytest.mark.parametrize(
    ("operator", "wanted", "has", "expected"),
    [
        ("StringEquals", "${aws:username}", "bob", True),
        ("StringEquals", "${aws:username}", "alice", False),
        ("StringEqualsIgnoreCase", "X-${aws:username}", "x-BOB", True),
        ("StringLike", "home/${aws:username}/*", "home/bob/x", True),
        ("StringLike", "home/${aws:username}/*", "home/alice/x", False),
        ("StringEquals", "${*}", "*", True),
        ("StringLike", "${*}", "anything", False),
        ("ArnLike", "arn:aws:iam::*:user/${aws:username}", "arn:aws:iam::111122223333:user/bob", True),
        ("ArnLike", "arn:aws:iam::${aws:username}:user/x", "arn:aws:iam::bob:user/x", True),
        ("Bool", "${aws:username}", "bob", True),
        # A variable with no value: "there is no equal or like value".
        ("StringEquals", "${aws:PrincipalTag/team}", "blue", False),
        ("StringNotEquals", "${aws:PrincipalTag/team}", "blue", True),
        ("StringLike", "${aws:PrincipalTag/team}*", "blue", False),
        ("StringNotLike", "${aws:PrincipalTag/team}*", "blue", True),
        ("StringEquals", "${aws:PrincipalTag/team, 'blue'}", "blue", True),
    ],
)
def test_variables(operator: str, wanted: str, has: str, expected: bool) -> None:
    assert holds(operator, wanted, has, aws_username="bob") is expected


def test_version_2008_has_no_variables() -> None:
    condition = Condition("StringEquals", "x:key", ("${aws:username}",), variables=False)
    assert not condition.holds({"x:key": "bob", "aws:username": "bob"})
    assert condition.holds({"x:key": "${aws:username}"})


@pytest.mark.parametrize(
    ("operator", "wanted"),
    [
        ("StringMatches", "x"),
        ("", "x"),
        ("IfExists", "x"),
        ("ForSomeValues:StringEquals", "x"),
        (":StringEquals", "x"),
        ("NullIfExists", "true"),
        ("Null", "maybe"),
        ("NumericEquals", "ten"),
        ("NumericEquals", "NaN"),
        ("NumericEquals", "1_000"),
        ("NumericEquals", "${aws:username}"),
        ("DateEquals", "2020-02-30"),
        ("DateEquals", "2020-01-01T00:00:00"),
        ("DateEquals", "yesterday"),
        ("Bool", "yes"),
        ("BinaryEquals", "?"),
        ("IpAddress", "203.0.113.0/33"),
        ("IpAddress", "10.0.0.0/255.0.0.0"),
        ("IpAddress", "203.0.113.*"),
        ("StringEquals", "${aws:username"),
    ],
)
def test_what_cannot_be_compared_is_refused(operator: str, wanted: str) -> None:
    with pytest.raises(PolicyError):
        Condition(operator, "x:key", (wanted,))


texts = st.text(alphabet="ab*?", max_size=3)


@given(
    st.sampled_from([("StringEquals", "StringNotEquals"), ("StringLike", "StringNotLike")]),
    st.lists(texts, max_size=3),
    st.none() | texts | st.lists(texts, max_size=3),
)
def test_a_negated_operator_is_the_opposite(pair: tuple[str, str], wanted: list[str], has: Has) -> None:
    positive, negated = pair
    assert holds(positive, wanted, has) is not holds(negated, wanted, has)
    if has and any(has):
        assert holds(f"ForAllValues:{positive}", wanted, has) is not holds(f"ForAnyValue:{negated}", wanted, has)


@given(st.sampled_from(POSITIVE + NEGATED), st.text())
def test_no_value_of_a_request_is_an_error(condition: tuple[str, str], has: str) -> None:
    operator, wanted = condition
    assert holds(operator, wanted, has) in (True, False)
