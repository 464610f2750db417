"""What an operation knows about the call it answers."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from cloudlet.core.authorization.permissions import EVERYTHING, NOTHING, Permissions
from cloudlet.core.kernel.identity import Principal
from cloudlet.core.kernel.service import Params, Result
from cloudlet.store.interface import Body, T

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block


SOURCE_ARN_HEADER: Final = "x-amz-source-arn"
"""The resource on whose behalf a service calls; believed of services only."""
IDEMPOTENCY_HEADER: Final = "x-cloudlet-once"
"""The token of a call that is done once; believed of services only."""
TRACE_HEADER: Final = "x-amzn-trace-id"


class Context:
    """One call: who makes it, to which account and region, and the way to everything outside the operation."""

    __slots__ = (
        "account",
        "block",
        "endpoint",
        "headers",
        "measured",
        "method",
        "once",
        "permissions",
        "principal",
        "protocol",
        "region",
        "request_id",
        "response_headers",
        "response_status",
        "secure",
        "source_arn",
        "source_ip",
        "started",
        "was_decided",
    )

    def __init__(
        self,
        block: Block,
        principal: Principal,
        account: str,
        region: str,
        request_id: str,
        endpoint: str,
        source_ip: str = "127.0.0.1",
        secure: bool = False,
        protocol: str = "json",
        headers: dict[str, str] | None = None,
        source_arn: str = "",
        method: str = "",
        once: str = "",
    ) -> None:
        self.block = block
        self.principal = principal
        self.account = account
        self.region: str = region
        self.request_id = request_id
        self.endpoint = endpoint
        """Scheme, host and port as the caller reached us, and the path of an API's own address: the base of URLs in
        answers."""
        self.source_ip: str = source_ip
        self.secure: bool = secure
        self.protocol = protocol
        """In which of AWS's protocols the answer goes out; "none" for a call from within."""
        self.headers: dict[str, str] = {} if headers is None else headers
        self.source_arn: str = source_arn
        """For a call by another service: the resource on whose behalf it calls, as `aws:SourceArn` in policies."""
        self.method = method
        """The HTTP method of the request; empty for a call from within."""
        self.once = once
        """The token of a call that is done once, if it has one."""
        self.permissions = EVERYTHING
        """The caller's own policies; they are looked up where permissions are enforced."""
        self.was_decided = False
        """Whether policies were looked at for this call."""
        self.response_status: int | None = None
        """The HTTP status of the answer, where that is not the one of the model."""
        self.response_headers: Sequence[tuple[str, str]] = ()
        """What the answer has besides, also where it is an error."""
        self.started = perf_counter()
        """When the call came in, by `time.perf_counter`, which goes on where the clock of the cloud stands."""
        self.measured: Any = None
        """What the operation measured of itself, for the block's observer; one that is run again sets it again."""

    def act_as(
        self,
        principal: Principal,
        account: str,
        headers: dict[str, str] | None = None,
        source_arn: str | None = None,
    ) -> Context:
        """Return the same call as if somebody else made it; without `headers` or `source_arn` with those it has."""
        call = Context(
            self.block,
            principal,
            account,
            self.region,
            self.request_id,
            self.endpoint,
            self.source_ip,
            self.secure,
            self.protocol,
            self.headers if headers is None else headers,
            self.source_arn if source_arn is None else source_arn,
            self.method,
        )
        call.permissions = self.permissions if principal is self.principal else self._find_permissions(principal)
        call.response_status = self.response_status
        call.response_headers = self.response_headers
        call.started = self.started
        call.measured = self.measured
        return call

    def _find_permissions(self, principal: Principal) -> Permissions:
        """Return the permissions of another caller, which `block.cloud.permissions.load` has looked up before."""
        return self.block.cloud.permissions.find(principal) or NOTHING if self.strict else EVERYTHING

    def now(self) -> float:
        """The time in seconds since the epoch."""
        return self.block.clock.now()

    @property
    def strict(self) -> bool:
        """Whether permissions are enforced."""
        return self.block.is_strict

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

    async def call_as_caller(self, service: str, operation: str, params: Params) -> Result:
        """Call another service's API as the caller, whose permissions count (forward access sessions).

        A service that calls by itself stays the one that calls. KMS is called in this way by those that encrypt.
        """
        return await self.block.cloud.call(
            service,
            operation,
            params,
            principal=self.principal.called_by(f"{self.block.service.name}.amazonaws.com"),
            account=self.account,
            region=self.region,
            source_arn=self.source_arn,
        )
