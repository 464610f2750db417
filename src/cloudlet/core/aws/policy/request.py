"""A request, as policies see it.

Source: IAM User Guide, "The request context".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from cloudlet.core.aws.policy.principals import Caller, Principal
from cloudlet.core.aws.policy.variables import Context


@dataclass(frozen=True)
class Request:
    """Who wants to do what to which resource, and all that is known about it.

    ``action`` is ``sqs:SendMessage``. ``resource`` is an ARN, or ``*`` for an action that is about no
    resource in particular. ``context`` has the condition keys that are present, global ones included; the
    caller fills them in. A string is the value of a single-valued key, a sequence of strings that of a
    multivalued one; the letter case of key names does not count.

    ``resource_account`` owns the resource; empty means the account in the ARN, or the principal's own where
    the ARN has none. S3's ARNs have none, so S3 must give it. ``federated_by`` is the ARN of the IAM user
    who made a federated-user session; ``canonical_user`` is S3's id of the principal's account.
    """

    principal: Principal
    action: str
    resource: str
    context: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    resource_account: str = ""
    federated_by: str = ""
    canonical_user: str = ""

    @cached_property
    def lowered_action(self) -> str:
        """The action in lower case, in which actions are compared."""
        return self.action.lower()

    @cached_property
    def keys(self) -> Context:
        """The condition keys by their names in lower case."""
        return {name.lower(): value for name, value in self.context.items()}

    @cached_property
    def caller(self) -> Caller:
        """The names policies may have for the principal."""
        region = self.keys.get("aws:requestedregion")
        return Caller.of(
            self.principal,
            federated_by=self.federated_by,
            canonical_user=self.canonical_user,
            region=region if isinstance(region, str) else "",
        )

    @cached_property
    def owner(self) -> str:
        """The account that owns the resource."""
        if self.resource_account:
            return self.resource_account
        components = self.resource.split(":", 5)
        account = components[4] if len(components) > 4 else ""
        return account if account.isdigit() else self.principal.account
