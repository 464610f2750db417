"""A request to the registry on its way: by whom, and for which repository."""

from __future__ import annotations

from functools import cached_property, partial
from typing import Any, Final, cast
from urllib.parse import parse_qs

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import uuid4
from cloudlet.core.kernel.web import DataPlaneRequest
from cloudlet.services.ecr import public_registry
from cloudlet.services.ecr.access import FROM_CLIENTS
from cloudlet.services.ecr.api_images import batch_get_image
from cloudlet.services.ecr.api_layers import batch_check_layer_availability, get_download_url_for_layer
from cloudlet.services.ecr.authorization_token import Bearer
from cloudlet.services.ecr.distribution.addressing import Address, RegistryName
from cloudlet.services.ecr.distribution.responses import ProtocolError

_PULLING: Final = {
    "BatchCheckLayerAvailability": batch_check_layer_availability,
    "GetDownloadUrlForLayer": get_download_url_for_layer,
}
"""Operations of pulls, which are none of ECR Public's API: they need no caller."""


class Call:
    """One request of somebody whose token is right."""

    def __init__(self, block: Block, visit: DataPlaneRequest, bearer: Bearer, address: Address, ctx: Context) -> None:
        self.block = block
        self.visit = visit
        self.bearer = bearer
        self.address = address
        self.ctx = ctx
        self.account = address.registry.account if address.registry is not None else bearer.account
        self.method = visit.request.method

    @cached_property
    def query(self) -> dict[str, str]:
        """The parameters of the request's query string."""
        parsed = parse_qs(self.visit.request.query, keep_blank_values=True)
        return {name: values[0] for name, values in parsed.items()}

    @property
    def path(self) -> str:
        """The path of the repository, as the client wrote it."""
        return f"/v2/{self.address.given}"

    async def run(self, operation: str, params: Params) -> dict[str, Any]:
        """Run an operation of the API on the repository, as the bearer. Raises AwsError."""
        named = {"registryId": self.account, "repositoryName": self.address.name, **params}
        if self.ctx.region != public_registry.REGION:
            return dict(await self.block.run(self.ctx, operation, named) or {})
        if operation == "BatchGetImage":
            return dict(cast("Result", await batch_get_image(self.ctx, named)) or {})
        if operation in _PULLING:
            found: Result = await self.ctx.transact(partial(self._run_pull, operation, named))
            return dict(found or {})
        return dict(await self.block.run(self._make_api_context(), f"{public_registry.MODEL}:{operation}", named) or {})

    async def _run_pull(self, operation: str, params: Params, tx: Transaction) -> Result:
        return await _PULLING[operation](self.ctx, tx, params)

    def _make_api_context(self) -> Context:
        """Return the context of an operation of ECR Public's API."""
        ctx = self.ctx.act_as(self.bearer.principal, self.bearer.principal.account)
        ctx.region = public_registry.HOME_REGION
        return ctx


async def make_context(block: Block, visit: DataPlaneRequest, bearer: Bearer, registry: RegistryName | None) -> Context:
    """Return the context of the operations that a request calls."""
    headers = visit.request.headers
    principal = bearer.principal
    region = bearer.region if registry is None else registry.region
    ctx = Context(
        block,
        principal,
        principal.account,
        region,
        uuid4(),
        f"{'https' if visit.secure else 'http'}://{headers.get('host', 'localhost')}",
        visit.peer,
        visit.secure,
        FROM_CLIENTS,
        headers,
        method=visit.request.method,
    )
    if block.is_strict:
        ctx.permissions = await block.cloud.permissions.load(principal)
    return ctx


class MethodError(ProtocolError):
    """A method that the registry does not have for what it was asked for."""

    def __init__(self, method: str) -> None:
        super().__init__("UNSUPPORTED", f"The operation {method} is unsupported.", 405)
