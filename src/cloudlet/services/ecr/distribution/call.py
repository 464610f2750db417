"""A request to the registry on its way: by whom, and for which repository."""

from __future__ import annotations

from functools import cached_property
from typing import Any
from urllib.parse import parse_qs

from cloudlet.core import Context, Params
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import uuid4
from cloudlet.core.kernel.web import DataPlaneRequest
from cloudlet.services.ecr.api_layers import FROM_CLIENTS
from cloudlet.services.ecr.authorization_token import Bearer
from cloudlet.services.ecr.distribution.addressing import Address, RegistryName
from cloudlet.services.ecr.distribution.responses import ProtocolError


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
        named = {"registryId": self.account, "repositoryName": self.address.name}
        return dict(await self.block.run(self.ctx, operation, {**named, **params}) or {})


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
