"""The caller of an API, and the call as policies see it.

Developer guide, "Control access for invoking an API": the caller's policies decide, and those of REST APIs with them.
"""

from __future__ import annotations

from collections.abc import Mapping

from cloudlet.core import Context
from cloudlet.core.authorization.permissions import EVERYTHING, NOTHING, Permissions
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.identity import ANONYMOUS, Principal
from cloudlet.core.kernel.web import DataPlaneRequest
from cloudlet.services.apigateway.documents import Place


async def identify(block: Block, visit: DataPlaneRequest) -> tuple[Principal, Permissions] | None:
    """Return the signer of a request and the signer's permissions, or None. Raises AwsError."""
    principal = visit.identify() if visit.is_signed else ANONYMOUS
    if principal.kind == "anonymous":
        return None
    return principal, await block.cloud.permissions.load(principal) if block.is_strict else EVERYTHING


def make(
    block: Block,
    place: Place,
    visit: DataPlaneRequest,
    request_id: str,
    headers: Mapping[str, str],
    principal: Principal | None,
    permissions: Permissions,
) -> Context:
    """Return a call of an API as policies see it. Without a principal it is anonymous."""
    endpoint = f"{'https' if visit.secure else 'http'}://{visit.host}"
    caller, region = principal or ANONYMOUS, place.region
    context = Context(
        block, caller, place.account, region, request_id, endpoint, visit.peer, visit.secure, headers=dict(headers)
    )
    context.permissions = NOTHING if principal is None else permissions
    return context
