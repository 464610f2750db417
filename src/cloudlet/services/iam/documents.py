"""Policy documents: what IAM requires of them, and how it shows them."""

from __future__ import annotations

from urllib.parse import quote

from cloudlet.core.aws.policy import Policy, PolicyError, Usage
from cloudlet.services.iam import errors, limits


def parse(text: str, usage: Usage = Usage.IDENTITY) -> Policy:
    """Return the policy of a document. Raises AwsError for what is none."""
    try:
        policy = Policy.parse(text, usage)
    except PolicyError as error:
        if error.message.startswith("Syntax errors in policy"):
            is_trust = usage is Usage.TRUST
            raise errors.malformed_policy(
                "This policy contains invalid Json" if is_trust else "Syntax errors in policy."
            ) from None
        raise errors.malformed_policy(error.message) from None
    for statement in policy.statements:
        for resource in statement.resources.written if statement.resources is not None else ():
            service, _, rest = resource.partition(":")[2].partition(":")[2].partition(":")
            if service == "iam" and rest.partition(":")[0] not in ("", "*"):
                raise errors.malformed_policy(f"IAM resource {resource} cannot contain region information.")
    return policy


def check_trust_policy(text: str) -> None:
    """Raise AwsError for a document that cannot say who may assume a role."""
    policy = parse(text, Usage.TRUST)
    if any(
        not action.lower().startswith("sts:") for statement in policy.statements for action in statement.actions.written
    ):
        raise errors.malformed_policy("AssumeRole policy may only specify STS AssumeRole actions.")
    if count_characters(text) > limits.MAX_TRUST_POLICY_CHARACTERS:
        raise errors.make_quota_error("ACLSizePerRole", limits.MAX_TRUST_POLICY_CHARACTERS)


def check_managed_policy(text: str) -> None:
    """Raise AwsError for a document that cannot be a managed policy."""
    parse(text)
    if count_characters(text) > limits.MAX_MANAGED_POLICY_CHARACTERS:
        raise errors.make_quota_error("PolicySize", limits.MAX_MANAGED_POLICY_CHARACTERS)


def count_characters(text: str) -> int:
    """Return how many characters of a document count: all but white space."""
    return len("".join(text.split()))


def show(text: str) -> str:
    """Return a document as answers have it, percent-encoded (RFC 3986)."""
    return quote(text, safe="")
