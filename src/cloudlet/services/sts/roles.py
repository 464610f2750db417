"""Roles, as IAM has them, and who may assume them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cloudlet.core import Arn, AwsError, Context
from cloudlet.core.authorization.condition_keys import Keys, list_global_keys
from cloudlet.core.authorization.enforcement import deny
from cloudlet.core.authorization.resource_policy import decide_by
from cloudlet.core.aws.policy import NamedPolicy, Policies, Policy, Request, Usage, evaluate
from cloudlet.core.kernel.identity import ANONYMOUS
from cloudlet.services.sts.errors import AccessDeniedError, ValidationError, is_missing

DEFAULT_SECONDS: Final = 3600
MAX_CHAINED_SECONDS: Final = 3600
_ACCOUNT_DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class Role:
    """A role, as far as its sessions need to know it."""

    arn: Arn
    """With its path."""
    id: str
    trust_policy: str
    max_seconds: int
    tags: Mapping[str, str]

    @property
    def name(self) -> str:
        """The name, without the path."""
        return self.arn.resource.rpartition("/")[2]

    def make_session_arn(self, session_name: str) -> str:
        """Return the ARN of a session, which has no path."""
        arn = self.arn
        return str(Arn(arn.partition, "sts", "", arn.account, f"assumed-role/{self.name}/{session_name}"))


def parse_role_arn(text: str, error: str) -> Arn:
    """Return the ARN of a role. Raises AwsError for any other text, with this message."""
    try:
        arn = Arn.parse(text)
    except ValueError:
        raise ValidationError(error) from None
    is_account = len(arn.account) == _ACCOUNT_DIGITS and arn.account.isascii() and arn.account.isdecimal()
    is_role = arn.resource.startswith("role/") and not arn.resource.endswith("/")
    if arn.service != "iam" or arn.region or not is_account or not is_role:
        raise ValidationError(error)
    return arn


async def find_role(ctx: Context, arn: Arn) -> Role | None:
    """Return a role by its ARN, None where there is none."""
    try:
        answer = await ctx.block.call(
            "iam", "ResolvePrincipal", {"Arn": str(arn)}, account=arn.account, region=ctx.region
        )
    except AwsError as error:
        if is_missing(error):
            return None
        raise
    found = answer or {}
    if found["Arn"] != str(arn):
        # IAM finds roles without their path, too.
        return None
    return Role(arn, found["Id"], found["TrustPolicy"], found["MaxSessionDuration"], found.get("Tags") or {})


def check_caller(ctx: Context, role: Role, actions: Sequence[str], keys: Keys) -> None:
    """Raise AwsError unless a role's trust policy and the caller's own policies allow these actions."""
    arn = str(role.arn)
    trust = NamedPolicy(arn, _parse_trust_policy(role.trust_policy))
    of_role = {f"{prefix}:ResourceTag/{key}": value for key, value in role.tags.items() for prefix in ("aws", "iam")}
    for action in actions:
        decision = decide_by(ctx, action, arn, role.arn.account, trust, {**of_role, **keys})
        if not decision.allowed:
            raise deny(ctx, "sts", decision)


@lru_cache(256)
def _parse_trust_policy(text: str) -> Policy:
    return Policy.parse(text, Usage.TRUST)


@dataclass(frozen=True, slots=True)
class _FederatedUser:
    """A user of an identity provider, who has no session yet."""

    arn: str
    """The provider's."""
    kind: str = "federated"
    account: str = ""


def check_federated(ctx: Context, role: Role, provider: str, actions: Sequence[str], keys: Keys) -> None:
    """Raise AwsError unless a role's trust policy allows a provider's users these actions."""
    account = role.arn.account
    trust = NamedPolicy(str(role.arn), _parse_trust_policy(role.trust_policy))
    context = {**list_global_keys(ctx, account, ANONYMOUS), "aws:FederatedProvider": provider, **keys}
    for action in actions:
        request = Request(_FederatedUser(provider), action, str(role.arn), context, account)
        if not evaluate(request, Policies(resource=trust)).allowed:
            raise NotAuthorizedError(actions[0])


class NotAuthorizedError(AccessDeniedError):
    """A user of an identity provider may not assume a role, or there is none."""

    def __init__(self, action: str) -> None:
        super().__init__(f"Not authorized to perform {action}")


def get_duration(role: Role, asked: int | None) -> int:
    """Return how long a session of a role lasts, in seconds. Raises AwsError where that is longer than it may."""
    seconds = DEFAULT_SECONDS if asked is None else asked
    if seconds > role.max_seconds:
        raise ValidationError("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    return seconds
