"""Permissions of principals and owners of access keys, as IAM has them, in memory.

What is kept is dropped as soon as IAM, in this process, has changed something of the account. Where IAM may change
without this process, it is asked again after a second.
"""

from __future__ import annotations

import asyncio
import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar

from cloudlet.core.authorization.catalog import get_prefix
from cloudlet.core.authorization.condition_keys import Keys, get_principal_arn
from cloudlet.core.authorization.permissions import EVERYTHING, NOTHING, Permissions
from cloudlet.core.aws.policy import NamedPolicy, Policies, Policy, PolicyError, Request, Usage, evaluate
from cloudlet.core.kernel.errors import AwsError
from cloudlet.core.kernel.identity import Credential, Principal, make_principal, root
from cloudlet.core.kernel.tokens import parse_account
from cloudlet.store.eager import spawn

if TYPE_CHECKING:
    from cloudlet.core.kernel.cloud import Cloud

log = logging.getLogger("cloudlet.core")

V = TypeVar("V")
_MAX_ENTRIES: Final = 10_000
_LIFETIME_SECONDS: Final = 1.0
_REPORTED_SECONDS: Final = 1.0
_SELF: Final = "iam.amazonaws.com"
_ABSENT: Final = ("NoSuchEntity", "NoSuchEntityException")


class _Entry(NamedTuple):
    value: Any
    account: str
    expires: float


class _Cache(Generic[V]):
    """Values by key, each of an account, up to a number of them."""

    def __init__(self) -> None:
        self._entries: dict[Any, _Entry] = {}

    def get(self, key: Any) -> _Entry | None:
        entry = self._entries.get(key)
        if entry is not None and entry.expires < asyncio.get_running_loop().time():
            return None
        return entry

    def add(self, key: Any, value: V, account: str, lifetime: float) -> None:
        if len(self._entries) >= _MAX_ENTRIES:
            self._entries.clear()
        self._entries[key] = _Entry(value, account, asyncio.get_running_loop().time() + lifetime)

    def forget(self, account: str | None) -> None:
        self._entries = {} if account is None else {k: v for k, v in self._entries.items() if v.account != account}


class PermissionSource:
    """Looks up permissions and access keys by IAM's API."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._permissions: _Cache[Permissions] = _Cache()
        self._keys: _Cache[Credential | None] = _Cache()
        self._changes = 0
        self._uses: dict[tuple[str, str, str], tuple[str, str, float]] = {}
        """Last uses that IAM is not told of yet: by account, ARN and key."""

    def note_use(self, principal: Principal, model: str, region: str) -> None:
        """Note that a user or role has called a service. IAM is told a moment later."""
        if not self._uses:
            asyncio.get_running_loop().call_later(_REPORTED_SECONDS, self._report_uses)
        if len(self._uses) < _MAX_ENTRIES:
            key = principal.account, principal.arn, principal.access_key
            self._uses[key] = model, region, self._cloud.clock.now()

    def _report_uses(self) -> None:
        uses, self._uses = self._uses, {}
        if self._cloud.has("iam"):
            spawn(self._record_uses(uses))

    async def _record_uses(self, uses: dict[tuple[str, str, str], tuple[str, str, float]]) -> None:
        """Tell IAM of last uses. Those that it cannot take now are lost: the next ones come soon."""
        by_account: dict[str, list[dict[str, Any]]] = {}
        for (account, arn, access_key), (model, region, at) in uses.items():
            # IAM tells services apart by what their actions begin with.
            use = {"Arn": arn, "AccessKeyId": access_key, "Service": get_prefix(model), "Region": region, "At": at}
            by_account.setdefault(account, []).append(use)
        for account, noted in by_account.items():
            try:
                await self._ask("RecordUse", {"Uses": noted}, account)
            except AwsError as error:
                log.warning("IAM could not be told of the last uses of access keys: %s", error)

    def forget(self, account: str | None = None) -> None:
        """Drop what is kept of an account, or everything: it has changed."""
        self._changes += 1
        self._permissions.forget(account)
        self._keys.forget(account)

    def find(self, principal: Principal) -> Permissions | None:
        """Return a principal's permissions where they are known now."""
        if principal.kind in ("root", "service"):
            session = principal.session
            return EVERYTHING if session is None or not session.has_policies else self._find(principal)
        if principal.kind == "anonymous":
            return NOTHING
        return self._find(principal)

    def _find(self, principal: Principal) -> Permissions | None:
        entry = self._permissions.get(_get_key(principal))
        return None if entry is None else entry.value

    async def load(self, principal: Principal) -> Permissions:
        """Return a principal's permissions. Raises AwsError where IAM does not answer."""
        found = self.find(principal)
        if found is None:
            changes = self._changes
            found = await self._load(principal)
            if changes == self._changes:
                self._permissions.add(_get_key(principal), found, principal.account, self._lifetime)
        return found

    def find_key(self, access_key: str) -> tuple[Credential | None] | None:
        """Return a tuple of a long-term key, or None where IAM is to be asked."""
        if not access_key.startswith("AKIA") or parse_account(access_key) is None or not self._cloud.has("iam"):
            return (None,)
        entry = self._keys.get(access_key)
        return None if entry is None else (entry.value,)

    async def load_key(self, access_key: str) -> Credential | None:
        """Return what verifies a long-term access key; None for an unknown or inactive one. Raises AwsError."""
        found = self.find_key(access_key)
        if found is not None:
            return found[0]
        account = parse_account(access_key) or ""
        changes = self._changes
        answer = await self._ask("ResolveAccessKey", {"AccessKeyId": access_key}, account)
        credential = None
        if answer is not None:
            arn = answer["Arn"]
            principal = (
                root(account, access_key)
                if arn.endswith(":root")
                else Principal("user", account, arn, answer["UserId"], access_key)
            )
            secret = self._cloud.tokens.derive_secret(access_key)
            credential = Credential(principal, secret, is_active=answer["IsActive"])
        if changes == self._changes:
            self._keys.add(access_key, credential, account, self._lifetime)
        return credential

    @property
    def _lifetime(self) -> float:
        """For how many seconds an answer holds."""
        is_here = self._cloud.enabled("iam") and self._cloud.config.store is None
        return float("inf") if is_here else _LIFETIME_SECONDS

    async def _load(self, principal: Principal) -> Permissions:
        if not self._cloud.has("iam"):
            return NOTHING
        session = principal.session
        owner, role_id = _get_owner(principal), ""
        if owner.endswith(":root"):
            identity, boundary, tags = EVERYTHING.identity, None, {}
        else:
            answer = await self._ask("ResolvePrincipal", {"Arn": owner}, principal.account)
            if answer is None or not _is_same(principal, owner, answer) or not _is_trusted(principal, answer):
                return NOTHING
            role_id = answer["Id"] if principal.kind == "assumed-role" else ""
            identity = tuple(_make_named(name, text) for name, text in sorted(answer.get("Policies", {}).items()))
            boundary = _make_named(answer["BoundaryArn"], answer["Boundary"]) if answer.get("Boundary") else None
            tags = dict(answer.get("Tags") or {})
        limits: tuple[NamedPolicy, ...] = ()
        if session is not None:
            tags |= session.tags
            limits = tuple(_make_named(f"session policy {n}", text) for n, text in enumerate(session.policies, 1))
            if session.policy_arns:
                wanted = {"Arns": list(session.policy_arns)}
                found = await self._ask("ResolvePolicies", wanted, principal.account) or {}
                limits += tuple(_make_named(name, text) for name, text in sorted(found.get("Policies", {}).items()))
            if session.has_policies and not limits:
                return NOTHING
        return Permissions(identity, boundary, limits, tags, role_id=role_id)

    async def _ask(self, operation: str, params: dict[str, Any], account: str) -> dict[str, Any] | None:
        """Return IAM's answer to an internal operation, None without such an entity."""
        caller = make_principal("service", account, _SELF, "iam", "")
        try:
            answer = await self._cloud.call(
                "iam", operation, params, principal=caller, account=account, region="us-east-1"
            )
        except AwsError as error:
            if error.code in _ABSENT:
                return None
            raise
        return dict(answer or {})


def _get_key(principal: Principal) -> tuple[str, str, str, str]:
    """Return the key of permissions: credentials, or the role of a service."""
    if principal.session is not None and principal.session.is_issued and principal.access_key:
        return principal.access_key, "", "", ""
    if principal.kind != "assumed-role":
        return principal.arn, principal.user_id, "", principal.account
    return _get_owner(principal), _get_taker(principal), principal.assumed_for, principal.account


def _get_taker(principal: Principal) -> str:
    """Return the service that has taken a role by itself."""
    return principal.assumed_by or principal.invoked_by


def _get_owner(principal: Principal) -> str:
    """Return the ARN of the user or role whose policies govern a principal."""
    session = principal.session
    if session is not None and session.issuer:
        return session.issuer
    return principal.arn if principal.kind == "user" else get_principal_arn(principal)


def _is_same(principal: Principal, owner: str, found: dict[str, Any]) -> bool:
    """Whether a principal is of the user or role found, not an earlier one."""
    session = principal.session
    if session is not None and session.issuer and found["Arn"] != owner:
        # IAM finds roles without their path, too.
        return False
    if principal.kind == "user":
        return bool(found["Id"] == principal.user_id)
    if principal.kind == "assumed-role" and session is not None and session.is_issued:
        return bool(found["Id"] == principal.user_id.partition(":")[0])
    return True


def _is_trusted(principal: Principal, role: dict[str, Any]) -> bool:
    """Whether a role trusts the service that acts by it, where one does."""
    if principal.kind != "assumed-role" or (principal.session is not None and principal.session.is_issued):
        return True
    taker = _get_taker(principal)
    if not taker or not role.get("TrustPolicy"):
        return False
    service = make_principal("service", principal.account, taker, "", "")
    trust = _make_named("trust policy", role["TrustPolicy"], Usage.TRUST)
    keys: Keys = {"aws:SourceAccount": principal.account}
    if principal.assumed_for:
        keys["aws:SourceArn"] = principal.assumed_for
    request = Request(service, "sts:AssumeRole", role["Arn"], keys, principal.account)
    return evaluate(request, Policies(resource=trust)).allowed


def _make_named(name: str, text: str, usage: Usage = Usage.IDENTITY) -> NamedPolicy:
    return NamedPolicy(name, _parse(text, usage))


@lru_cache(1024)
def _parse(text: str, usage: Usage) -> Policy:
    try:
        return Policy.parse(text, usage)
    except PolicyError as error:
        # IAM has checked it when it was stored: an older rule let it in. What it says counts for nothing.
        log.error("a stored policy cannot be read: %s", error)
        return Policy("2012-10-17", "", (), usage)
