"""Actions and resources: IAM User Guide, "IAM JSON policy elements: Action", "… Resource", "… Variables"."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.core.aws.policy import PolicyError
from cloudlet.core.aws.policy.match import ActionSet, ResourceSet, compile_glob
from cloudlet.core.aws.policy.variables import literal, resolve_text, tokenize, without_variables


def glob(pattern: str, text: str) -> bool:
    resolved = without_variables(tokenize(pattern, wildcards=True, variables=False))
    assert resolved is not None
    return compile_glob(resolved)(text)


@pytest.mark.parametrize(
    ("pattern", "action", "covered"),
    [
        ("sqs:SendMessage", "sqs:SendMessage", True),
        ("iam:ListAccessKeys", "IAM:listaccesskeys", True),
        ("SQS:SendMessage", "sqs:SendMessage", True),
        ("sqs:SendMessage", "sqs:SendMessageBatch", False),
        ("s3:*", "s3:GetObject", True),
        ("s3:*", "s3express:CreateSession", False),
        ("*", "s3:GetObject", True),
        ("*:*", "s3:GetObject", True),
        ("iam:*AccessKey*", "iam:CreateAccessKey", True),
        ("iam:*AccessKey*", "iam:ListAccessKeys", True),
        ("iam:*AccessKey*", "iam:CreateUser", False),
        ("iam:*Report", "iam:GetOrganizationsAccessReport", True),
        ("sqs:?etQueueAttributes", "sqs:GetQueueAttributes", True),
        ("sqs:?etQueueAttributes", "sqs:etQueueAttributes", False),
        ("sqs:${*}", "sqs:*", False),
    ],
)
def test_an_action_covers(pattern: str, action: str, covered: bool) -> None:
    assert ActionSet((pattern,)).covers(action.lower()) is covered
    assert ActionSet((pattern,), negated=True).covers(action.lower()) is not covered


BUCKET = "arn:aws:s3:::DOC-EXAMPLE-BUCKET"


@pytest.mark.parametrize(
    ("pattern", "resource", "covered"),
    [
        ("*", "*", True),
        ("*", "arn:aws:sqs:us-east-1:111122223333:orders", True),
        ("arn:aws:sqs:*:*:*", "*", False),
        ("arn:aws:sqs:us-east-1:111122223333:orders", "arn:aws:sqs:us-east-1:111122223333:orders", True),
        ("arn:aws:sqs:us-east-1:111122223333:orders", "arn:aws:sqs:us-east-1:111122223333:Orders", False),
        ("arn:aws:sqs:*:111122223333:orders", "arn:aws:sqs:eu-west-1:111122223333:orders", True),
        ("arn:aws:sqs:us-?ast-1:*:o*", "arn:aws:sqs:us-east-1:111122223333:orders", True),
        # A wildcard expands within a segment only …
        ("arn:aws:sqs:*:orders", "arn:aws:sqs:us-east-1:111122223333:orders", False),
        ("arn:aws:*:111122223333:orders", "arn:aws:sqs:us-east-1:111122223333:orders", False),
        # … but the resource is all one segment, colons and slashes included.
        ("arn:aws:lambda:*:*:function:pay*", "arn:aws:lambda:eu-west-1:111122223333:function:pay:7", True),
        ("arn:aws:logs:*:*:*", "arn:aws:logs:eu-west-1:111122223333:log-group:a:log-stream:b", True),
        # A pattern that ends early with a star covers the rest.
        ("arn:aws:sqs:*", "arn:aws:sqs:us-east-1:111122223333:orders", True),
        ("arn:aws:iam::*", "arn:aws:iam::111122223333:user/bob", True),
        ("arn:aws:sqs:*:*:o*", "arn:aws:sqs", False),
        ("arn:aws:sqs", "arn:aws:sqs:us-east-1:111122223333:orders", False),
        ("execute-api:/prod/*", "execute-api:/prod/GET/pets", True),
        # The guide's own table for "arn:aws:s3:::DOC-EXAMPLE-BUCKET/*/test/*".
        (f"{BUCKET}/*/test/*", f"{BUCKET}/1/test/object.jpg", True),
        (f"{BUCKET}/*/test/*", f"{BUCKET}/1/2/test/object.jpg", True),
        (f"{BUCKET}/*/test/*", f"{BUCKET}/1/2/test/3/object.jpg", True),
        (f"{BUCKET}/*/test/*", f"{BUCKET}/1/2/3/test/4/object.jpg", True),
        (f"{BUCKET}/*/test/*", f"{BUCKET}/1///test///object.jpg", True),
        (f"{BUCKET}/*/test/*", f"{BUCKET}/1/test/.jpg", True),
        (f"{BUCKET}/*/test/*", f"{BUCKET}//test/object.jpg", True),
        (f"{BUCKET}/*/test/*", f"{BUCKET}/1/test/", True),
        (f"{BUCKET}/*/test/*", f"{BUCKET}/1-test/object.jpg", False),
        (f"{BUCKET}/*/test/*", f"{BUCKET}/test/object.jpg", False),
        (f"{BUCKET}/*/test/*", f"{BUCKET}/1/2/test.jpg", False),
    ],
)
def test_a_resource_covers(pattern: str, resource: str, covered: bool) -> None:
    assert ResourceSet((pattern,)).covers(resource, {}) is covered
    assert ResourceSet((pattern,), negated=True).covers(resource, {}) is not covered


BOB = {"aws:username": "bob", "aws:principaltag/team": "yellow", "aws:tagkeys": ["a"]}


@pytest.mark.parametrize(
    ("pattern", "resource", "covered"),
    [
        ("arn:aws:s3:::b/${aws:username}/*", "arn:aws:s3:::b/bob/x", True),
        ("arn:aws:s3:::b/${AWS:UserName}/*", "arn:aws:s3:::b/bob/x", True),
        ("arn:aws:s3:::b/${aws:username}/*", "arn:aws:s3:::b/alice/x", False),
        (
            "arn:aws:sqs:us-east-2:*:${aws:username}-queue",
            "arn:aws:sqs:us-east-2:111122223333:bob-queue",
            True,
        ),
        ("arn:aws:s3:::b-${aws:PrincipalTag/team, 'company-wide'}", "arn:aws:s3:::b-yellow", True),
        ("arn:aws:s3:::b-${aws:PrincipalTag/unit, 'company-wide'}", "arn:aws:s3:::b-company-wide", True),
        ("arn:aws:s3:::b-${aws:PrincipalTag/unit,'x'}", "arn:aws:s3:::b-x", True),
        # No value: matches no resource. A multivalued key is no variable.
        ("arn:aws:s3:::b-${aws:PrincipalTag/unit}", "arn:aws:s3:::b-", False),
        ("arn:aws:s3:::b-${aws:PrincipalTag/unit}", "arn:aws:s3:::b-${aws:PrincipalTag/unit}", False),
        ("arn:aws:s3:::b-${aws:TagKeys}", "arn:aws:s3:::b-a", False),
        # Only after the fifth colon.
        ("arn:aws:s3::${aws:username}:b", "arn:aws:s3::bob:b", False),
        ("arn:aws:${aws:username}*", "arn:aws:bob:::b", False),
        # Special characters.
        ("arn:aws:s3:::b/${*}", "arn:aws:s3:::b/*", True),
        ("arn:aws:s3:::b/${*}", "arn:aws:s3:::b/anything", False),
        ("arn:aws:s3:::b/${?}${$}{x}", "arn:aws:s3:::b/?${x}", True),
        ("arn:aws:s3:::b/${aws:username}${*}?", "arn:aws:s3:::b/bob*!", True),
    ],
)
def test_a_resource_with_variables_covers(pattern: str, resource: str, covered: bool) -> None:
    assert ResourceSet((pattern,)).covers(resource, BOB) is covered
    assert ResourceSet((pattern,), negated=True).covers(resource, BOB) is not covered


def test_what_a_variable_stands_for_is_literal() -> None:
    home = ResourceSet(("arn:aws:s3:::b/${aws:username}/*",))
    assert not home.covers("arn:aws:s3:::b/alice/x", {"aws:username": "*"})
    assert not home.covers("arn:aws:s3:::b/bob/x", {"aws:username": "b?b"})
    assert home.covers("arn:aws:s3:::b/*/x", {"aws:username": "*"})


def test_version_2008_has_no_variables() -> None:
    old = ResourceSet(("arn:aws:s3:::b/${aws:username}",), variables=False)
    assert not old.covers("arn:aws:s3:::b/bob", BOB)
    assert old.covers("arn:aws:s3:::b/${aws:username}", BOB)


@pytest.mark.parametrize(
    "text", ["${aws:username", "${}", "${aws: username}", "${aws:username, x}", "${aws:username, 'x}"]
)
def test_a_variable_that_is_not_well_formed_is_refused(text: str) -> None:
    with pytest.raises(PolicyError):
        tokenize(text, wildcards=True, variables=True)


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("", "", True),
        ("", "a", False),
        ("*", "", True),
        ("**", "ab", True),
        ("?", "", False),
        ("a*", "ab", True),
        # Head and tail may not share characters, nor may the chunks between them.
        ("a*a", "a", False),
        ("ab*ba", "aba", False),
        ("a*b*b", "ab", False),
        ("a*bb*b*", "abb", False),
        ("a*bb*b*", "abbb", True),
        ("*ab*ab*", "xabx", False),
        ("*ab*ab*", "abab", True),
        ("*aab", "aaaab", True),
        ("?*?", "a", False),
        ("?*?", "ab", True),
        ("*?b", "bb", True),
        ("a*", "a\nb", True),
        ("a?b", "a\nb", True),
    ],
)
def test_globs(pattern: str, text: str, fits: bool) -> None:
    assert glob(pattern, text) is fits


alphabet = st.text(alphabet="ab:/", max_size=12)
patterns = st.text(alphabet="ab:/*?", max_size=10)


@given(patterns, alphabet)
def test_globs_agree_with_regular_expressions(pattern: str, text: str) -> None:
    expression = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern)
    assert glob(pattern, text) is bool(re.fullmatch(expression, text, re.DOTALL))


@given(st.lists(patterns, min_size=6, max_size=6), st.lists(alphabet, min_size=6, max_size=6))
def test_arns_are_matched_component_by_component(parts: list[str], values: list[str]) -> None:
    parts = [*(part.replace(":", "") for part in parts[:5]), parts[5]]
    values = [*(value.replace(":", "") for value in values[:5]), values[5]]
    expected = all(glob(part, value) for part, value in zip(parts, values, strict=True))
    assert ResourceSet((":".join(parts),)).covers(":".join(values), {}) is expected


@given(st.text(), st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2))
def test_text_without_a_dollar_means_itself(text: str, context: dict[str, str]) -> None:
    template = tokenize(text.replace("$", ""), wildcards=False, variables=True)
    assert resolve_text(template, context) == text.replace("$", "")
    assert literal(without_variables(template) or ()) == text.replace("$", "")


@pytest.mark.parametrize("pattern", ["*a" * 1000 + "b", "*a?" * 700 + "b", "*" + "?a" * 1000 + "b*", "*?" * 1000])
def test_no_pattern_takes_long(pattern: str) -> None:
    started = time.process_time()
    glob(pattern, "a" * 4000)
    assert time.process_time() - started < 5
