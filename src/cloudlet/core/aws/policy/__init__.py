"""The one evaluator of AWS's policy language.

It turns a policy document into a `Policy`, and a request and the policies that apply to it into a
`Decision` that explains itself. It does no I/O, keeps no state and knows no service: services store
documents, and the front door collects those that apply to a request and fills in the condition keys.

Behaviour is that of the AWS IAM User Guide; each module names the sections it follows. What Cloudlet decides
where the guide is silent is in ``docs/concepts/policies.md``.

    policy = Policy.parse(text, Usage.IDENTITY)
    decision = evaluate(
        Request(principal, "sqs:SendMessage", queue_arn, {"aws:SourceIp": "203.0.113.7"}),
        Policies(identity=(NamedPolicy("senders", policy),)),
    )
    if not decision.allowed:
        raise AwsError("AccessDenied", decision.message)
"""

from cloudlet.core.aws.policy.conditions import Condition
from cloudlet.core.aws.policy.decision import Decision, Reason
from cloudlet.core.aws.policy.document import Effect, Policy, Statement, Usage
from cloudlet.core.aws.policy.error import PolicyError
from cloudlet.core.aws.policy.evaluate import evaluate
from cloudlet.core.aws.policy.explain import Miss
from cloudlet.core.aws.policy.layers import Guardrail, Layer, NamedPolicy, Policies, StatementRef
from cloudlet.core.aws.policy.principals import Grant, Principal, PrincipalSet
from cloudlet.core.aws.policy.request import Request

__all__ = [
    "Condition",
    "Decision",
    "Effect",
    "Grant",
    "Guardrail",
    "Layer",
    "Miss",
    "NamedPolicy",
    "Policies",
    "Policy",
    "PolicyError",
    "Principal",
    "PrincipalSet",
    "Reason",
    "Request",
    "Statement",
    "StatementRef",
    "Usage",
    "evaluate",
]
