"""The ``Principal`` and ``NotPrincipal`` elements: whom a resource-based policy speaks of.

Sources: IAM User Guide, "AWS JSON policy elements: Principal" and "… NotPrincipal".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from typing import Protocol

from cloudlet.core.aws.policy.error import PolicyError


class Principal(Protocol):
    """Who makes a request, as far as this package needs to know.

    ``kind`` is one of:

    ================== ===============================================================================
    ``root``           an account's root user; ``arn`` is ``arn:aws:iam::111122223333:root``
    ``user``           an IAM user; ``arn`` is the user's
    ``assumed-role``   a session of a role; ``arn`` is ``arn:aws:sts::…:assumed-role/role/session``
    ``federated-user`` a session of GetFederationToken; ``arn`` is ``arn:aws:sts::…:federated-user/name``
    ``service``        a service of the cloud; ``arn`` is its name, such as ``sns.amazonaws.com``
    ``federated``      who holds a token of an identity provider and has no session yet
                       (AssumeRoleWithWebIdentity, AssumeRoleWithSAML); ``arn`` is the provider's ARN or host
    ``anonymous``      nobody: an unsigned request
    ================== ===============================================================================

    ``account`` is the account the principal belongs to; it is not looked at for the last three.
    """

    @property
    def kind(self) -> str: ...

    @property
    def account(self) -> str: ...

    @property
    def arn(self) -> str: ...


ACCOUNT_KINDS = frozenset({"root", "user", "assumed-role", "federated-user"})
"""The kinds of principal that belong to an account and are governed by its policies."""


class Grant(IntEnum):
    """How directly a statement names a principal, which decides what still limits it."""

    NONE = 0
    """Not at all."""
    ACCOUNT = 1
    """By its account, which delegates to the account's own policies."""
    ISSUER = 2
    """By the role or user behind the session: limited by its boundary and session policies."""
    DIRECT = 3
    """Itself: the user, session, service or provider, or everyone."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The names under which a policy may mean a principal, in the form `PrincipalSet` keeps them in."""

    kind: str
    own: str
    """The principal's own name; empty for an account's root, which is its account, and for nobody."""
    issuer: str
    """The name of the role or user behind a session; else empty."""
    account: frozenset[str]
    """The names of its account."""
    regional: frozenset[str] = frozenset()
    """Other names of a service, where it calls from: ``logs.eu-west-1.amazonaws.com``."""

    @classmethod
    def of(cls, principal: Principal, *, federated_by: str = "", canonical_user: str = "", region: str = "") -> Caller:
        """Name a principal.

        ``federated_by`` is the ARN of the IAM user behind a federated-user session, ``canonical_user`` the
        canonical user id that S3 gives the principal's account, ``region`` that of the call.
        """
        kind = principal.kind
        if kind == "anonymous":
            return cls(kind, "", "", frozenset())
        if kind in ("service", "federated"):
            regional = _regional(principal.arn, region) if kind == "service" and region else frozenset()
            return cls(kind, f"{kind}:{principal.arn}", "", frozenset(), regional)
        own = "" if kind == "root" else principal.arn
        issuer = federated_by if kind == "federated-user" else ""
        if kind == "assumed-role":
            role_name = principal.arn.partition(":assumed-role/")[2].partition("/")[0]
            issuer = f"role:{principal.account}/{role_name}"
        account = {f"account:{principal.account}"}
        if canonical_user:
            account.add(f"canonical:{canonical_user}")
        return cls(kind, own, issuer, frozenset(account))


@dataclass(frozen=True, slots=True)
class PrincipalSet:
    """A ``Principal`` or, ``negated``, a ``NotPrincipal`` element.

    ``written`` has its pairs of kind and name, such as ``("AWS", "111122223333")``; a bare ``"*"`` is
    ``("AWS", "*")``, which means the same. Raises `PolicyError` for a name that cannot be a principal.
    """

    written: tuple[tuple[str, str], ...]
    negated: bool = False
    _names: frozenset[str] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_names", frozenset(canonical_name(kind, text) for kind, text in self.written))

    def grants(self, caller: Caller) -> Grant:
        """How directly an ``Allow`` with this element reaches the caller.

        Under ``NotPrincipal`` none of the caller's names may be listed.
        """
        reach = self._reach(caller)
        if self.negated:
            return Grant.DIRECT if reach is Grant.NONE else Grant.NONE
        return reach

    def denies(self, caller: Caller) -> bool:
        """Whether a ``Deny`` with this element hits the caller.

        ``NotPrincipal`` spares only a caller all of whose names are listed, its account's too: "you must
        also specify the account ARN of the not-denied principal" (section "NotPrincipal with Deny").
        """
        if not self.negated:
            return self._reach(caller) is not Grant.NONE
        names = self._names
        if _EVERYONE in names:
            return False
        if caller.account and names.isdisjoint(caller.account):
            return True
        if caller.kind == "assumed-role" and caller.issuer not in names:
            return True
        return caller.kind != "root" and caller.own not in names and names.isdisjoint(caller.regional)

    def _reach(self, caller: Caller) -> Grant:
        names = self._names
        if _EVERYONE in names or caller.own in names or not names.isdisjoint(caller.regional):
            return Grant.DIRECT
        if caller.issuer in names:
            return Grant.ISSUER
        if names.isdisjoint(caller.account):
            return Grant.NONE
        return Grant.DIRECT if caller.kind == "root" else Grant.ACCOUNT


_EVERYONE = "*"

_ACCOUNT = re.compile(r"([0-9]{12})|arn:[a-z-]+:iam::([0-9]{12}):root")
_ROLE = re.compile(r"arn:[a-z-]+:iam::([0-9]{12}):role/(?:.*/)?([^/]+)", re.DOTALL)
_IDENTITY = re.compile(
    r"arn:[a-z-]+:(?:iam::[0-9a-z-]+:user/.+|sts::[0-9]{12}:(?:assumed-role/[^/]+/.+|federated-user/.+))",
    re.DOTALL,
)
_UNIQUE_ID = re.compile(r"A[A-Z0-9]{15,}")
_PROVIDER = re.compile(r"arn:[a-z-]+:iam::[0-9]{12}:(?:oidc|saml)-provider/.+|[A-Za-z0-9][A-Za-z0-9.:/_-]*")
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")


@lru_cache(256)
def _regional(service: str, region: str) -> frozenset[str]:
    """The names that a service has in a region besides its own.

    Source: IAM User Guide, "AWS service principals", on opt-in Regions; in China they end on ``.cn`` also.
    """
    name, _, domain = service.partition(".")
    names = {f"{name}.{region}.{domain}"}
    if region.startswith("cn-"):
        names |= {f"{service}.cn", f"{name}.{region}.{domain}.cn"}
    return frozenset(f"service:{each}" for each in names)


def canonical_name(kind: str, text: str) -> str:
    """The name a `Caller` may have, for a principal as a policy writes it.

    A role is known by its account and name alone, since its sessions' ARNs do not have its path. Raises
    `PolicyError` for what cannot be a principal.
    """
    if kind == "AWS":
        if text == _EVERYONE:
            return _EVERYONE
        if "*" not in text and "?" not in text:
            if account := _ACCOUNT.fullmatch(text):
                return f"account:{account[1] or account[2]}"
            if role := _ROLE.fullmatch(text):
                return f"role:{role[1]}/{role[2]}"
            if _IDENTITY.fullmatch(text) or _UNIQUE_ID.fullmatch(text):
                # A unique id is what is left of a user or role that was deleted: it means nobody now.
                return text
    elif kind == "Service":
        if _SERVICE.fullmatch(text):
            return f"service:{text}"
    elif kind == "Federated":
        if _PROVIDER.fullmatch(text):
            return f"federated:{text}"
    elif kind == "CanonicalUser":
        if re.fullmatch(r"[0-9A-Za-z]+", text):
            return f"canonical:{text}"
    else:
        raise PolicyError(f"The principal key {kind[:100]!r} is not valid")
    raise PolicyError(f'Invalid principal in policy: "{kind}":"{text[:200]}"')
