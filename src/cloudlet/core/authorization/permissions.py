"""The policies that govern a principal, and what they say of a call.

Source: IAM User Guide, "Policy evaluation logic". Verdicts that depend on nothing but the action and the resource are
kept in memory, so that a hot path costs a look-up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from cloudlet.core.authorization.condition_keys import Keys, list_global_keys
from cloudlet.core.aws.policy import (
    Decision,
    Effect,
    NamedPolicy,
    Policies,
    Policy,
    Request,
    Statement,
    Usage,
    evaluate,
)
from cloudlet.core.aws.policy.match import ActionSet, ResourceSet

if TYPE_CHECKING:
    from cloudlet.core.kernel.context import Context
    from cloudlet.core.kernel.identity import Principal

_MAX_VERDICTS: Final = 4096
_MAX_ACTIONS: Final = 512
_RESOURCE_TAG: Final = ":resourcetag/"


class Permissions:
    """The identity-based policies of a principal, its boundary and its session policies. It never changes."""

    __slots__ = (
        "_by_tags",
        "_policies",
        "_static",
        "_verdicts",
        "boundary",
        "identity",
        "is_unlimited",
        "role_id",
        "session",
        "tags",
    )

    def __init__(
        self,
        identity: tuple[NamedPolicy, ...],
        boundary: NamedPolicy | None = None,
        session: tuple[NamedPolicy, ...] = (),
        tags: Mapping[str, str] | None = None,
        *,
        is_unlimited: bool = False,
        role_id: str = "",
    ) -> None:
        """`tags` are those of the principal and its session.

        `is_unlimited`: nothing has to be looked at; `role_id`: the unique id of the role behind a session.
        """
        self.identity = identity
        self.boundary = boundary
        self.session = session
        self.tags: Mapping[str, str] = tags or {}
        self.is_unlimited = is_unlimited
        self.role_id = role_id
        self._policies = Policies(identity, boundary, session)
        self._static: dict[str, bool] = {}
        self._by_tags: dict[str, bool] = {}
        self._verdicts: dict[tuple[str, str], bool] = {}

    def identify(self, principal: Principal) -> str:
        """Return the id of a principal that has these permissions, as `aws:userid` has it."""
        if principal.kind != "assumed-role" or not self.role_id:
            return principal.user_id
        return f"{self.role_id}:{principal.user_id.partition(':')[2]}"

    def allows(
        self,
        ctx: Context,
        action: str,
        resource: str,
        account: str,
        keys: Mapping[str, str | Sequence[str]] | None = None,
    ) -> bool:
        """Return whether these policies alone allow a call about a resource of an account."""
        if self.is_unlimited:
            return True
        verdict = self._verdicts.get((action, resource))
        if verdict is not None and ctx.principal.account == account:
            return verdict
        return self.decide(ctx, action, resource, account, keys).allowed

    def decide(
        self,
        ctx: Context,
        action: str,
        resource: str,
        account: str,
        keys: Mapping[str, str | Sequence[str]] | None = None,
    ) -> Decision:
        """Return what these policies alone say of a call about a resource of an account."""
        is_static = self._is_static(action)
        context: Keys = {} if is_static else {**list_global_keys(ctx, account), **(keys or {})}
        decision = evaluate(
            Request(ctx.principal, action, resource, context, account, _get_issuer(ctx)), self._policies
        )
        if is_static and ctx.principal.account == account:
            if len(self._verdicts) >= _MAX_VERDICTS:
                self._verdicts.clear()
            self._verdicts[action, resource] = decision.allowed
        return decision

    def is_static(self, action: str) -> bool:
        """Whether the verdict about an action depends on nothing but the resource."""
        return self.is_unlimited or self._is_static(action)

    def depends_on_tags(self, action: str) -> bool:
        """Whether the verdict about an action may depend on the tags of a resource."""
        found = self._by_tags.get(action)
        if found is None:
            lowered = action.lower()
            found = any(
                _is_about_tags(each) for policy in self._list_policies() for each in _list_about(policy, lowered)
            )
            if len(self._by_tags) >= _MAX_ACTIONS:
                self._by_tags.clear()
            self._by_tags[action] = found
        return found

    def _list_policies(self) -> list[Policy]:
        named = (*self.identity, *self.session, *((self.boundary,) if self.boundary else ()))
        return [each.policy for each in named]

    def _is_static(self, action: str) -> bool:
        found = self._static.get(action)
        if found is None:
            lowered = action.lower()
            found = all(_is_static(policy, lowered) for policy in self._list_policies())
            if len(self._static) >= _MAX_ACTIONS:
                self._static.clear()
            self._static[action] = found
        return found


def _is_static(policy: Policy, action: str) -> bool:
    """Whether a policy's verdict depends on the action and the resource alone."""
    return all(
        not statement.conditions and (statement.resources is None or statement.resources.is_static)
        for statement in _list_about(policy, action)
    )


def _list_about(policy: Policy, action: str) -> list[Statement]:
    """Return the statements about an action, which is given in lower case."""
    return [statement for statement in policy.statements if statement.actions.covers(action)]


def _is_about_tags(statement: Statement) -> bool:
    """Whether conditions or variables of a statement are about the tags of resources."""
    conditions = [text for each in statement.conditions for text in (each.key, *each.values)]
    resources = () if statement.resources is None else statement.resources.written
    return any(_RESOURCE_TAG in text.lower() for text in (*conditions, *resources))


def _get_issuer(ctx: Context) -> str:
    """Return the user behind a federated session."""
    principal = ctx.principal
    return principal.session.issuer if principal.kind == "federated-user" and principal.session else ""


_ALLOWED = Statement("", Effect.ALLOW, None, ActionSet(("*",)), ResourceSet(("*",)), ())
_EVERYTHING = Policy("2012-10-17", "", (_ALLOWED,), Usage.IDENTITY)
EVERYTHING: Final = Permissions((NamedPolicy("identity", _EVERYTHING),), is_unlimited=True)
"""The permissions of principals that no policy governs: roots, services, and everybody in open mode."""
NOTHING: Final = Permissions(())
"""The permissions of a principal that has no policies, or that is gone."""
