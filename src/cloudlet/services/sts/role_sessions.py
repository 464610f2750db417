"""Sessions of roles, as all three operations that open one answer them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cloudlet.core import Context, Params
from cloudlet.core.authorization.condition_keys import Keys
from cloudlet.core.kernel.identity import Principal
from cloudlet.core.kernel.session_details import SessionDetails
from cloudlet.services.sts.credentials import issue
from cloudlet.services.sts.errors import InvalidIdentityToken
from cloudlet.services.sts.roles import Role
from cloudlet.services.sts.session_policies import SessionPolicies
from cloudlet.services.sts.session_tags import SessionTags

_SOURCE_IDENTITY: Final = re.compile(r"[a-zA-Z_0-9+=,.@-]{2,64}")


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """A session that is asked for."""

    name: str
    tags: SessionTags
    source_identity: str = ""
    provider: str = ""
    """The ARN of the identity provider whose user asks for it."""
    provider_keys: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)

    def list_actions(self, operation: str) -> list[str]:
        """Return what must be allowed for it: the operation itself first."""
        actions = [f"sts:{operation}"]
        if self.tags.tags:
            actions.append("sts:TagSession")
        if self.source_identity:
            actions.append("sts:SetSourceIdentity")
        return actions

    def to_keys(self) -> Keys:
        """Return its condition keys."""
        keys: Keys = {"sts:RoleSessionName": self.name, **self.tags.to_keys(), **self.provider_keys}
        if self.source_identity:
            keys["sts:SourceIdentity"] = self.source_identity
        return keys


def validate_source_identity(text: str) -> str:
    """Return a source identity that an identity provider sets, empty for none. Raises AwsError."""
    if text and not _SOURCE_IDENTITY.fullmatch(text):
        raise InvalidIdentityToken('Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with "aws:"')
    return text


def open_session(
    ctx: Context, role: Role, request: SessionRequest, policies: SessionPolicies, seconds: float, params: Params
) -> dict[str, Any]:
    """Return the answer that has the credentials of a new session of a role. Raises AwsError."""
    details = SessionDetails(
        issuer=str(role.arn),
        policies=policies.documents,
        policy_arns=policies.arns,
        has_policies=bool(policies),
        tags=dict(request.tags.tags),
        transitive_tags=request.tags.transitive,
        source_identity=request.source_identity,
        issued_at=ctx.now(),
        provider=request.provider,
        keys=dict(request.provider_keys),
    )
    arn, id = role.make_session_arn(request.name), f"{role.id}:{request.name}"
    principal = Principal("assumed-role", role.arn.account, arn, id, session=details)
    answer = issue(ctx, principal, seconds, params)
    answer["AssumedRoleUser"] = {"Arn": arn, "AssumedRoleId": id}
    answer["PackedPolicySize"] = answer["SessionTokenUtilization"]
    if request.source_identity:
        answer["SourceIdentity"] = request.source_identity
    return answer
