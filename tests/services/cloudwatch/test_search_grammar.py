"""The language of SEARCH: the examples of the user guide, and whatever can be written in it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core.aws.logic import All, AnyOf, Not
from cloudlet.services.cloudwatch.expressions.problems import ExpressionProblem
from cloudlet.services.cloudwatch.search_grammar import Condition, Search, Term, parse

EC2 = ("AWS/EC2", frozenset({"InstanceId"}))
CPU = Term("CPUUtilization", True, "MetricName")


def anywhere(condition: Condition) -> Search:
    return Search(None, frozenset(), condition)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # "CloudWatch search expression syntax"
        ('{AWS/EC2, InstanceId} MetricName="CPUUtilization"', Search(*EC2, CPU)),
        ('{AWS/EC2,InstanceId}, MetricName="CPUUtilization"', Search(*EC2, CPU)),
        ("{AWS/EC2,InstanceId}", Search(*EC2, None)),
        (
            '{"Custom-Namespace", "Dimension Name With Spaces"}',
            Search("Custom-Namespace", frozenset({"Dimension Name With Spaces"}), None),
        ),
        (
            "{AWS/EC2,InstanceId} CPUUtilization i-1234567890abcdef0",
            Search(*EC2, All((Term("CPUUtilization", False), Term("i-1234567890abcdef0", False)))),
        ),
        (
            'MetricName="mymetric" AND NOT InstanceId="i-1"',
            anywhere(All((Term("mymetric", True, "MetricName"), Not(Term("i-1", True, "InstanceId"))))),
        ),
        (
            "mysite AND (errors OR faults)",
            anywhere(All((Term("mysite", False), AnyOf((Term("errors", False), Term("faults", False)))))),
        ),
        ("Errors AND NOT Fault", anywhere(All((Term("Errors", False), Not(Term("Fault", False)))))),
        (
            'Namespace="AWS/EC2" MetricName="CPU" OR :aws.AccountId = "123"',
            anywhere(
                AnyOf(
                    (
                        All((Term("AWS/EC2", True, "Namespace"), Term("CPU", True, "MetricName"))),
                        Term("123", True, ":aws.AccountId"),
                    )
                )
            ),
        ),
        (
            ' AWS/EC2 :aws.AccountId = ("111122223333" OR "777788889999") ',
            anywhere(
                All(
                    (
                        Term("AWS/EC2", False),
                        AnyOf(
                            (
                                Term("111122223333", True, ":aws.AccountId"),
                                Term("777788889999", True, ":aws.AccountId"),
                            )
                        ),
                    )
                )
            ),
        ),
        (
            "Host=(web NOT (old OR test))",
            anywhere(
                All(
                    (
                        Term("web", False, "Host"),
                        Not(AnyOf((Term("old", False, "Host"), Term("test", False, "Host")))),
                    )
                )
            ),
        ),
        # Words that are operators are quoted, or are part of other ones.
        ('"OR" NOTE ANDROID', anywhere(All((Term("OR", True), Term("NOTE", False), Term("ANDROID", False))))),
        ("NOT NOT a", anywhere(Term("a", False))),
        (r'"say \"hi\""', anywhere(Term('say "hi"', True))),
    ],
)
def test_searches_of_the_user_guide(text: str, expected: Search) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("a OR", "cannot have its end here"),
        ("a OR AND b", "cannot have 'AND' here"),
        ("(a", "cannot have its end here"),
        ("a)", "cannot have ')' here"),
        ("a = = b", "cannot have '=' here"),
        ("a = (b OR c = d)", "cannot have 'c=' within 'a='"),
        ("a = ()", "cannot have ')' here"),
        ("{}", "cannot have '}' here"),
        ("a {b}", "cannot have '{' here"),
        ('"a', "a quotation mark that is not closed"),
        ("(" * 51 + "a" + ")" * 51, "nested too deeply"),
        ("NOT " * 257, "has 1024 characters at most"),
    ],
)
def test_what_is_no_search(text: str, said: str) -> None:
    with pytest.raises(ExpressionProblem) as caught:
        parse(text)
    assert said in str(caught.value)


def written(condition: Condition) -> str:
    """Return a text that means a condition."""
    if isinstance(condition, Term):
        text = f'"{quoted(condition.text)}"' if condition.exact else condition.text
        return text if condition.property is None else f'"{quoted(condition.property)}" = {text}'
    if isinstance(condition, Not):
        return f"NOT {written(condition.part)}"
    word = " AND " if isinstance(condition, All) else " OR "
    return "(" + word.join(map(written, condition.parts)) + ")"


def quoted(text: str) -> str:
    return re.sub(r'(["\\])', r"\\\1", text)


_WORDS = st.from_regex(r"[a-z:/.\-]{1,4}", fullmatch=True)
_TEXTS = st.text('ab "\\(){}=OR', max_size=4)
_PROPERTIES = st.none() | _TEXTS
_CONDITIONS = st.recursive(
    st.builds(Term, _WORDS, st.just(False), _PROPERTIES) | st.builds(Term, _TEXTS, st.just(True), _PROPERTIES),
    lambda inner: st.one_of(
        inner.filter(lambda one: not isinstance(one, Not)).map(Not),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: All(tuple(parts))),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: AnyOf(tuple(parts))),
    ),
    max_leaves=8,
)


@given(_TEXTS, st.frozensets(_TEXTS, max_size=2), _CONDITIONS)
def test_what_is_written_is_read(namespace: str, dimensions: frozenset[str], condition: Condition) -> None:
    schema = ",".join(f'"{quoted(name)}"' for name in (namespace, *dimensions))
    assert parse(f"{{{schema}}} {written(condition)}") == Search(namespace, dimensions, condition)
