"""The policies that govern a principal, and what they say of a call.

Source: IAM User Guide, "Policy evaluation logic". Verdicts that depend on nothing but the action and the resource are
kept in memory, so that a hot path costs a look-up; so are those that depend on who calls from where.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from cloudlet.core.authorization.condition_keys import Getter, Keys, find_getter, list_global_keys
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
_PRINCIPAL_TAG: Final = "aws:principaltag/"
_VARIABLE: Final = re.compile(r"\$\{\s*([^},*?$]+)")
"""A variable's name; `${*}`, `${?}` and `${$}` are the characters themselves."""


class Permissions:
    """The identity-based policies of a principal, its boundary and its session policies. It never changes."""

    __slots__ = (
        "_by_tags",
        "_getters",
        "_policies",
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
        self._getters: dict[str, tuple[Getter, ...] | None] = {}
        self._by_tags: dict[str, bool] = {}
        self._verdicts: dict[tuple[str, str, tuple[str | Sequence[str] | None, ...]], bool] = {}

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
        getters = self._find_getters(action)
        if getters is None or ctx.principal.account != account:
            return self.decide(ctx, action, resource, account, keys).allowed
        kept = (action, resource, tuple([find(ctx, ctx.principal) for find in getters]) if getters else ())
        verdict = self._verdicts.get(kept)
        if verdict is None:
            if len(self._verdicts) >= _MAX_VERDICTS:
                self._verdicts.clear()
            verdict = self._verdicts[kept] = self.decide(ctx, action, resource, account, keys).allowed
        return verdict

    def decide(
        self,
        ctx: Context,
        action: str,
        resource: str,
        account: str,
        keys: Mapping[str, str | Sequence[str]] | None = None,
    ) -> Decision:
        """Return what these policies alone say of a call about a resource of an account."""
        context: Keys = {**list_global_keys(ctx, account), **(keys or {})}
        return evaluate(Request(ctx.principal, action, resource, context, account, _get_issuer(ctx)), self._policies)

    def ignores_parameters(self, action: str) -> bool:
        """Whether an action's verdict depends on resource, caller and connection alone.

        Then the keys of the request need not be known.
        """
        return self.is_unlimited or self._find_getters(action) is not None

    def is_unconditional(self, action: str) -> bool:
        """Whether the verdict about an action depends on the resource alone."""
        return self.is_unlimited or self._find_getters(action) == ()

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

    def _find_getters(self, action: str) -> tuple[Getter, ...] | None:
        """Return what finds an action's condition keys; None where it needs other keys."""
        if action not in self._getters:
            if len(self._getters) >= _MAX_ACTIONS:
                self._getters.clear()
            self._getters[action] = self._list_getters(action.lower())
        return self._getters[action]

    def _list_getters(self, action: str) -> tuple[Getter, ...] | None:
        about = [each for policy in self._list_policies() for each in _list_about(policy, action)]
        # What a principal is tagged with does not change while it has these permissions.
        names = {name for each in about for name in _list_keys(each) if not name.startswith(_PRINCIPAL_TAG)}
        found = [find_getter(name) for name in sorted(names)]
        getters = tuple(each for each in found if each is not None)
        return getters if len(getters) == len(found) else None


def _list_keys(statement: Statement) -> Iterator[str]:
    """Yield the names, in lower case, of the condition keys that a statement looks at."""
    resources = () if statement.resources is None else statement.resources.written
    yield from (each.key.lower() for each in statement.conditions)
    for text in (*resources, *(value for each in statement.conditions for value in each.values)):
        yield from (name.strip().lower() for name in _VARIABLE.findall(text))


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
