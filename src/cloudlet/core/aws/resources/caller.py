"""The principal that resources are made, changed and read for, as it is stored."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core.aws.resources.provisioner import Invoke
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import Kind, Principal
from cloudlet.core.kernel.session_details import SessionDetails


class Caller(msgspec.Struct, frozen=True):
    """The principal that asked for an operation.

    Calls are made as it, where no role is given.
    """

    kind: Kind
    account: str
    arn: str
    user_id: str
    access_key: str = ""
    session: SessionDetails | None = None

    @classmethod
    def from_principal(cls, principal: Principal) -> Caller:
        """Return what is stored of a principal."""
        return cls(
            principal.kind,
            principal.account,
            principal.arn,
            principal.user_id,
            principal.access_key,
            principal.session,
        )

    def make_principal(self, by: str) -> Principal:
        """Return the principal, called by a service."""
        return Principal(self.kind, self.account, self.arn, self.user_id, self.access_key, by, self.session)


def bind_invoke(block: Block, principal: Principal, account: str, region: str) -> Invoke:
    """Return what calls operations as a principal in an account and a region."""

    own_region = region

    async def invoke(model: str, operation: str, params: dict[str, Any], *, once: str = "", region: str = "") -> Any:
        return await block.cloud.call(
            model, operation, params, principal=principal, account=account, region=region or own_region, once=once
        )

    return invoke
