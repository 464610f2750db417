"""The principal that makes a call."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Literal

from cloudlet.core.kernel.session_details import SessionDetails

Kind = Literal["root", "user", "assumed-role", "federated-user", "service", "anonymous"]


class Principal:
    """The identity behind a request, as policies and `sts:GetCallerIdentity` name it.

    For kind "service" `arn` is the service principal, such as "sns.amazonaws.com".
    """

    __slots__ = (
        "access_key",
        "account",
        "arn",
        "assumed_by",
        "assumed_for",
        "invoked_by",
        "kind",
        "session",
        "user_id",
    )

    def __init__(
        self,
        kind: Kind,
        account: str,
        arn: str,
        user_id: str,
        access_key: str = "",
        invoked_by: str = "",
        session: SessionDetails | None = None,
        assumed_by: str = "",
        assumed_for: str = "",
    ) -> None:
        self.kind: Kind = kind
        self.account = account
        self.arn = arn
        self.user_id = user_id
        self.access_key = access_key
        self.invoked_by = invoked_by
        """The service principal of a service that acts as somebody, by a role or for its caller; empty for others."""
        self.session = session
        """The facts that temporary credentials carry; None for other principals."""
        self.assumed_by = assumed_by
        """The service that has taken a role by itself; empty for others."""
        self.assumed_for = assumed_for
        """The resource for which it has, as `aws:SourceArn` in the role's trust policy."""

    @property
    def is_forwarded(self) -> bool:
        """Whether a service calls for it, with its permissions.

        A service that acts by a role of its own is none.
        """
        return self.kind != "service" and self.invoked_by not in ("", self.assumed_by)

    def called_by(self, service: str) -> Principal:
        """Return the same identity in a call that a service makes for it.

        IAM User Guide, "Forward access sessions". Of several services, each called by the one before, the last one
        counts, as for `kms:ViaService`.
        """
        return Principal(
            self.kind,
            self.account,
            self.arn,
            self.user_id,
            self.access_key,
            service,
            self.session,
            self.assumed_by,
            self.assumed_for,
        )


class Credential:
    """An access key that can be verified.

    `expires` is in seconds since the epoch, for temporary credentials.
    """

    __slots__ = ("expires", "is_active", "principal", "secret_key")

    def __init__(
        self, principal: Principal, secret_key: str, expires: float | None = None, is_active: bool = True
    ) -> None:
        self.principal = principal
        self.secret_key = secret_key
        self.expires = expires
        self.is_active = is_active


def root(account: str, access_key: str = "") -> Principal:
    """Return the root user of an account."""
    return Principal("root", account, f"arn:aws:iam::{account}:root", account, access_key)


@lru_cache(1024)
def make_principal(
    kind: Kind, account: str, arn: str, user_id: str, access_key: str, invoked_by: str = ""
) -> Principal:
    """Return an identity by its parts; the same one for the same parts."""
    return Principal(kind, account, arn, user_id, access_key, invoked_by)


ANONYMOUS: Final = Principal("anonymous", "anonymous", "*", "anonymous")
