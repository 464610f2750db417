"""Who makes a call."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

Kind = Literal["root", "user", "assumed-role", "federated-user", "service", "anonymous"]


@dataclass(frozen=True, slots=True)
class Principal:
    """The identity behind a request, as policies and `sts:GetCallerIdentity` name it.

    For kind "service" `arn` is the service principal, such as "sns.amazonaws.com".
    """

    kind: Kind
    account: str
    arn: str
    user_id: str
    access_key: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """An access key that can be verified. `expires` is in seconds since the epoch, for temporary credentials."""

    principal: Principal
    secret_key: str
    expires: float | None = None


def root(account: str, access_key: str = "") -> Principal:
    """The root user of an account."""
    return Principal("root", account, f"arn:aws:iam::{account}:root", account, access_key)


@lru_cache(1024)
def principal_of(kind: Kind, account: str, arn: str, user_id: str, access_key: str) -> Principal:
    """Return an identity by its parts; the same one for the same parts."""
    return Principal(kind, account, arn, user_id, access_key)


ANONYMOUS: Final = Principal("anonymous", "anonymous", "*", "anonymous")
