"""What an operation knows about the call it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any

from cloudlet.core.identity import Principal
from cloudlet.core.service import Params, Result
from cloudlet.store.interface import Body, T

if TYPE_CHECKING:
    from cloudlet.core.block import Block


SOURCE_ARN_HEADER = "x-amz-source-arn"
"""The resource on whose behalf a service calls; believed of services only."""
TRACE_HEADER = "x-amzn-trace-id"


@dataclass(slots=True)
class Context:
    """One call: who makes it, to which account and region, and the way to everything outside the operation."""

    block: Block
    principal: Principal
    account: str
    region: str
    request_id: str
    endpoint: str
    """Scheme, host and port as the caller reached us; the base of URLs in answers."""
    source_ip: str = "127.0.0.1"
    secure: bool = False
    protocol: str = "json"
    """In which of AWS's protocols the answer goes out; "none" for a call from within."""
    headers: Mapping[str, str] = field(default_factory=dict)
    source_arn: str = ""
    """For a call by another service: the resource on whose behalf it calls, as `aws:SourceArn` in policies."""
    method: str = ""
    """The HTTP method of the request; empty for a call from within."""
    response_status: int | None = None
    """The HTTP status of the answer, where that is not the one of the model."""
    response_headers: Sequence[tuple[str, str]] = ()
    """What the answer has besides, also where it is an error."""
    started: float = field(default_factory=perf_counter)
    """When the call came in, by `time.perf_counter`, which goes on where the clock of the cloud stands."""
    measured: Any = None
    """What the operation measured of itself, for the block's observer; a function that is run again sets it again."""

    def now(self) -> float:
        """The time in seconds since the epoch."""
        return self.block.clock.now()

    @property
    def strict(self) -> bool:
        """Whether permissions are enforced."""
        return self.block.cloud.config.auth == "strict"

    @property
    def trace(self) -> str | None:
        """The trace header of the request, to be handed on (X-Ray developer guide, "Tracing header")."""
        header = self.headers.get(TRACE_HEADER)
        return header if header and header.isascii() and header.isprintable() else None

    async def transact(self, body: Body[T]) -> T:
        """Run `body` in a transaction of this service's store."""
        return await self.block.store.transact(body)

    async def call(self, service: str, operation: str, params: Params, *, source_arn: str = "") -> Result:
        """Call another service's API, as this service, in the caller's account and region."""
        return await self.block.call(
            service, operation, params, account=self.account, region=self.region, source_arn=source_arn
        )
