"""Users, groups and roles, for what is the same for all three."""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.services.iam.documents import LAMBDA


class Owner(NamedTuple):
    """A user, a group or a role of a name."""

    iam: Any
    kind: str
    name: str = "o"

    def create(self) -> Owner:
        more = {"AssumeRolePolicyDocument": LAMBDA} if self.kind == "role" else {}
        getattr(self.iam, f"create_{self.kind}")(**self.named, **more)
        return self

    @property
    def named(self) -> dict[str, str]:
        return {f"{self.kind.title()}Name": self.name}

    def call(self, operation: str, **params: Any) -> Any:
        """Make a call, of which "{}" in the name is the kind."""
        return getattr(self.iam, operation.format(self.kind))(**self.named, **params)


KINDS = ("user", "group", "role")
