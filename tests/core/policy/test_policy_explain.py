"""Denials that explain themselves."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from cloudlet.core.aws.policy import (
    Decision,
    Guardrail,
    Layer,
    NamedPolicy,
    Policies,
    Policy,
    Request,
    Usage,
    evaluate,
)


@dataclass(frozen=True)
class Bob:
    kind: str = "user"
    account: str = "111122223333"
    arn: str = "arn:aws:iam::111122223333:user/bob"


QUEUE = "arn:aws:sqs:us-east-1:111122223333:orders"
START = f"User: {Bob.arn} is not authorized to perform: sqs:SendMessage on resource: {QUEUE} "


def policy(name: str, *statements: dict[str, object], usage: Usage = Usage.ANY) -> NamedPolicy:
    text = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    return NamedPolicy(name, Policy.parse(text, usage))


def statement(effect: str = "Allow", **elements: object) -> dict[str, object]:
    return {"Effect": effect, "Action": "sqs:SendMessage", "Resource": "*"} | elements


def decide(*identity: NamedPolicy, context: dict[str, str] | None = None, **policies: object) -> Decision:
    request = Request(Bob(), "sqs:SendMessage", QUEUE, context or {})
    return evaluate(request, Policies(identity=identity, **policies))  # type: ignore[arg-type]


ALLOW = policy("all", statement())
DENY = policy("none", statement("Deny"))
EVERYONE_DENIED = policy("q", statement("Deny", Principal="*"))


@pytest.mark.parametrize(
    ("decision", "ending"),
    [
        (decide(), "because no identity-based policy allows the sqs:SendMessage action"),
        (
            decide(ALLOW, boundary=policy("b", statement(Action="s3:*"))),
            "because no permissions boundary allows the sqs:SendMessage action",
        ),
        (decide(DENY), "with an explicit deny in an identity-based policy"),
        (decide(ALLOW, resource=EVERYONE_DENIED), "with an explicit deny in a resource-based policy"),
        (decide(ALLOW, boundary=DENY), "with an explicit deny in a permissions boundary"),
        (
            decide(ALLOW, guardrails=(Guardrail(Layer.SCP, (DENY,)),)),
            "with an explicit deny in a service control policy",
        ),
    ],
)
def test_the_message_is_awss(decision: Decision, ending: str) -> None:
    """ "Access denied error message examples"."""
    assert decision.message == START + ending


def test_a_condition_that_did_not_match() -> None:
    office = statement(Sid="FromOffice", Condition={"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}})
    decision = decide(policy("senders", office), context={"AWS:SourceIP": "10.0.0.1"})
    assert decision.explanation == (
        START + "because no identity-based policy allows the sqs:SendMessage action\n"
        "Missing: an Allow in the identity-based policy (senders)\n"
        "Near: statement FromOffice of the identity-based policy senders allows the action, but its condition does "
        "not hold: IpAddress aws:SourceIp is to be compared with '203.0.113.0/24', and the request has '10.0.0.1'"
    )


def test_a_key_and_a_variable_the_request_does_not_have() -> None:
    teams = statement(
        Resource="arn:aws:sqs:*:*:${aws:PrincipalTag/team}-*",
        Condition={"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}},
    )
    (miss,) = decide(policy("teams", teams)).misses
    assert miss.because == (
        "its Resource is arn:aws:sqs:*:*:${aws:PrincipalTag/team}-* (the request has no aws:principaltag/team)",
        "its condition does not hold: StringEquals aws:ResourceTag/team is to be compared with "
        "'${aws:PrincipalTag/team}' (the request has no aws:principaltag/team), and the request has no "
        "aws:ResourceTag/team",
    )


def test_principals_that_are_others_or_the_whole_account() -> None:
    queue = policy(
        "queue",
        statement(Principal={"Service": "sns.amazonaws.com"}),
        statement(Principal={"AWS": "111122223333"}),
    )
    because = [miss.because[0] for miss in decide(resource=queue).misses]
    assert because == [
        "its Principal is Service sns.amazonaws.com",
        "its Principal is the account 111122223333 as a whole, which leaves the decision to identity-based policies",
    ]


def test_the_nearest_come_first_and_few_are_shown() -> None:
    far = statement(Resource="arn:aws:s3:::b", Condition={"Bool": {"aws:SecureTransport": "true"}})
    near = statement(Sid="Near", Resource="arn:aws:s3:::b")
    decision = decide(policy("many", *[far] * 9, near))
    assert decision.misses[0].statement.statement.sid == "Near"
    assert decision.explanation.count("Near: statement") == 5
    assert "5 more statements" in decision.explanation


def test_what_denied_and_on_what_grounds() -> None:
    insecure = statement("Deny", Sid="OnlyTls", Condition={"Bool": {"aws:SecureTransport": "false"}})
    decision = decide(ALLOW, policy("tls", insecure), context={"aws:SecureTransport": "false"})
    assert decision.explanation == (
        START + "with an explicit deny in an identity-based policy\n"
        "Denied by statement OnlyTls of the identity-based policy tls; its conditions hold: "
        "Bool aws:SecureTransport is to be compared with 'false', and the request has 'false'"
    )
