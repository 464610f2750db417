"""The facts about a session that its token carries."""

from __future__ import annotations

import msgspec


class SessionDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """Facts about a session, for policies and for the sessions that it opens.

    Times are in seconds since the epoch; 0 where there is none.
    """

    issuer: str = ""
    """The ARN, with its path, of the role or user whose permissions the session has."""
    policies: tuple[str, ...] = ()
    """The documents of its inline session policies."""
    policy_arns: tuple[str, ...] = ()
    """The managed policies passed as session policies."""
    has_policies: bool = False
    """Whether session policies were passed.

    Without them a federated user may do nothing but what resources' policies allow.
    """
    tags: dict[str, str] = {}
    transitive_tags: tuple[str, ...] = ()
    source_identity: str = ""
    issued_at: float = 0.0
    mfa_at: float = 0.0
    """The time at which its user gave a code of an MFA device."""
    provider: str = ""
    """The identity provider of a federated session, as `aws:FederatedProvider` has it."""
    keys: dict[str, str | tuple[str, ...]] = {}
    """Condition keys of the identity provider, as "saml:sub"."""

    @property
    def is_issued(self) -> bool:
        """Whether STS has issued it; else a service has taken a role by itself."""
        return self.issued_at > 0
