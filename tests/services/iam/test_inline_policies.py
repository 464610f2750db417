"""Inline policies of users, groups and roles."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.iam.documents import count_characters
from tests.refused import code_of, refused
from tests.services.iam.documents import READ, allow, policy
from tests.services.iam.owners import KINDS, Owner

LIMITS = {"user": 2048, "group": 5120, "role": 10240}


@pytest.mark.parametrize("kind", KINDS)
def test_policies_are_put_and_shown_and_deleted(iam: Any, kind: str) -> None:
    owner = Owner(iam, kind).create()
    for name in ("b", "a", "b"):
        owner.call("put_{}_policy", PolicyName=name, PolicyDocument=READ)
    assert owner.call("list_{}_policies")["PolicyNames"] == ["a", "b"]
    shown = owner.call("get_{}_policy", PolicyName="a")
    assert shown["PolicyDocument"] == json.loads(READ)
    assert shown["PolicyName"] == "a"
    assert shown[f"{kind.title()}Name"] == "o"
    owner.call("delete_{}_policy", PolicyName="a")
    missing = ("NoSuchEntity", f"The {kind} policy with name a cannot be found.")
    assert refused(owner.call, "get_{}_policy", PolicyName="a") == missing
    assert refused(owner.call, "delete_{}_policy", PolicyName="a") == missing
    nobody = Owner(iam, kind, "nobody")
    missing = ("NoSuchEntity", f"The {kind} with name nobody cannot be found.")
    assert refused(nobody.call, "list_{}_policies") == missing
    assert refused(nobody.call, "put_{}_policy", PolicyName="a", PolicyDocument=READ) == missing


def _document(size: int) -> str:
    """Return a document of so many characters besides white space."""
    spare = size - count_characters(policy(allow("a:b", Sid="")))
    return policy(allow("a:b", Sid="x" * spare))


@pytest.mark.parametrize("kind", KINDS)
def test_all_policies_together_have_a_size(iam: Any, kind: str) -> None:
    owner = Owner(iam, kind).create()
    most = LIMITS[kind]
    half = most // 2
    owner.call("put_{}_policy", PolicyName="a", PolicyDocument=_document(half))
    answer = refused(owner.call, "put_{}_policy", PolicyName="b", PolicyDocument=_document(most - half + 1))
    assert answer == ("LimitExceeded", f"Maximum policy size of {most} bytes exceeded for {kind} o")
    owner.call("put_{}_policy", PolicyName="b", PolicyDocument=_document(most - half))
    owner.call("put_{}_policy", PolicyName="a", PolicyDocument=_document(half))


@given(st.lists(st.sampled_from(["{", "a", '"', " ", "\t", "\r\n", "é"])))
def test_white_space_does_not_count(pieces: list[str]) -> None:
    assert count_characters("".join(pieces)) == sum(1 for piece in pieces if piece.strip())


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("no json", "Syntax errors in policy."),
        (policy({"Effect": "Allow", "Resource": "*"}), "Policy statement must contain actions."),
        (policy({"Effect": "Allow", "Action": "s3:*"}), "Policy statement must contain resources."),
        (policy(allow("s3:*", "bucket")), 'Resource bucket must be in ARN format or "*".'),
        (
            policy(allow("everything")),
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
        (policy({**allow("s3:*"), "Principal": "*"}), "Policy document should not specify a principal."),
        (
            policy(allow("iam:*", "arn:aws:iam:us-east-1:123456789012:user/x")),
            "IAM resource arn:aws:iam:us-east-1:123456789012:user/x cannot contain region information.",
        ),
    ],
)
def test_documents_are_policies(iam: Any, document: str, message: str) -> None:
    iam.create_user(UserName="Ann")
    answer = refused(iam.put_user_policy, UserName="Ann", PolicyName="p", PolicyDocument=document)
    assert answer == ("MalformedPolicyDocument", message)
    assert code_of(iam.create_policy, PolicyName="p", PolicyDocument=document) == "MalformedPolicyDocument"
