"""The front door: a request's way from the socket to a service's operation, and the answer's way back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from cloudlet.core.background.fair_semaphore import FairSemaphore
from cloudlet.core.kernel.cloud import Cloud
from cloudlet.core.kernel.context import IDEMPOTENCY_HEADER, SOURCE_ARN_HEADER, Context
from cloudlet.core.kernel.errors import AwsError, internal_failure, not_implemented, unavailable
from cloudlet.core.kernel.identity import ANONYMOUS
from cloudlet.core.kernel.ids import uuid4
from cloudlet.core.kernel.origins import is_possible_csrf
from cloudlet.core.kernel.service import Handler, Result, Service
from cloudlet.edge import auth, cross_origin, data_plane, data_plane_routing, routing
from cloudlet.edge.domains import CustomDomains
from cloudlet.edge.exchange import Exchange
from cloudlet.edge.forward import as_written
from cloudlet.edge.response_compression import coding, compress
from cloudlet.store.eager import spawn
from cloudlet.wire import HttpRequest, HttpResponse, InvalidRequest, Operation, ServiceModel, WireError, sigv2, sigv4
from cloudlet.wire.claims import Claim
from cloudlet.wire.json import CHECKSUM, checksum

if TYPE_CHECKING:
    from cloudlet.edge.admin_api import AdminApi
    from cloudlet.edge.fleet import SupervisedBlock, Supervisor

log = logging.getLogger("cloudlet.edge")
access_log = logging.getLogger("cloudlet.access")

_LARGEST_BODY: Final = 6 << 20
"""The largest body of an operation that does not stream: what API Gateway imports. Most services take a megabyte at
most, and to read one of small values takes up to 0.2 s."""
_LARGER_BODIES: Final[dict[str, int]] = {
    "dynamodb": 16 << 20,
    "ecr": 28 << 20,
    "lambda": 80 << 20,
    "CreateLookupTable": 32 << 20,
    "UpdateLookupTable": 32 << 20,
}
"""Larger limits, by service or operation: a batch of items; a layer's part, 20 MiB in base64; 50 MB of a zip in
base64, and some; 10 MiB of text, of which each two bytes may be six in JSON."""

_TOGETHER: Final = 32
"""How many requests are run before any of them is answered: what they answer is in memory until then."""

_COLLECTED_AT_ONCE: Final = 8
"""How many large bodies may be in memory, half of them an account's; other clients are held back meanwhile."""

_COLLECTED_SECONDS: Final = 120.0
"""How long a large body may take to come: who sends a little now and then would keep its place for ever."""

LARGEST_BODY_OF_STRANGERS: Final = 1536 << 10
"""The largest one that is collected for who is let in only if a resource lets everybody in: a message, and some."""

_STRANGERS_AT_ONCE: Final = 64


class FrontDoor:
    """Answers every request that comes off a socket."""

    internal: AdminApi
    """Answers our own paths; set once it is there, since it holds and releases this front."""

    def __init__(self, cloud: Cloud, authenticator: auth.Authenticator, fleet: Supervisor | None = None) -> None:
        """`fleet` has the blocks that run in processes of their own: their requests are passed on as they are."""
        self.cloud = cloud
        self.running = cloud.running()
        self.fleet = fleet
        self._domains = CustomDomains()
        self.public_host = urlsplit(cloud.config.endpoint).hostname or "localhost"
        self.authenticator = authenticator
        self.nobody = routing.get_unknown_service("json")
        self._is_open = cloud.config.auth == "open"
        self.logs_access = access_log.isEnabledFor(logging.INFO)
        self.collecting = FairSemaphore(_COLLECTED_AT_ONCE, _COLLECTED_AT_ONCE // 2)
        self.collecting_for_strangers = asyncio.Semaphore(_STRANGERS_AT_ONCE)
        self.collecting_seconds = _COLLECTED_SECONDS
        self._held: list[Callable[[], None]] | None = None
        self._arrived: list[_Call] = []
        self.done: list[tuple[_Call, Result, WireError | None]] | None = None
        """What is done while calls are run, and is to be answered after that; None while none are."""

    def handle(self, request: HttpRequest, exchange: Exchange) -> None:
        if request.path.startswith(routing.OWN_PATHS):
            if self.is_allowed_host(request.headers):
                self.internal.handle(request, exchange)
            else:
                exchange.respond(data_plane.message(403, cross_origin.refused().message))
            return
        visited = data_plane_routing.find_route(request, self.public_host)
        if visited is not None:
            self.admit(lambda: self._serve_data_plane(visited, request, exchange))
            return
        if request.method == "OPTIONS":
            allowed = cross_origin.preflight(request) if self.is_allowed_origin(request.headers) else None
            if allowed is not None:
                exchange.respond(allowed)
                return
        self._arrive(_Call(self, request, exchange))

    def _arrive(self, call: _Call) -> None:
        """Let a call begin, together with those that arrive in the same turn of the event loop."""
        if not self._arrived:
            asyncio.get_running_loop().call_soon(self._begin)
        self._arrived.append(call)

    def _begin(self) -> None:
        """Let all calls that have arrived take one step, and then all of them the next one.

        What runs again at once is still in the processor's caches: see docs/decisions/0002-a-requests-cost.md.
        """
        calls, self._arrived = self._arrived, []
        if self._held is not None:
            self._held += [call.start for call in calls]
            return
        known = [call for call in calls if call.identify()]
        for at in range(0, len(known), _TOGETHER):
            self._run(known[at : at + _TOGETHER])

    def _run(self, calls: list[_Call]) -> None:
        """Run calls, and answer those that are done by then."""
        done: list[tuple[_Call, Result, WireError | None]] = []
        self.done = done
        try:
            for call in calls:
                call.run()
        finally:
            self.done = None
        for call, result, error in done:
            call.answer(result, error)

    def _serve_data_plane(
        self, found: data_plane_routing.DataPlaneRoute, request: HttpRequest, exchange: Exchange
    ) -> None:
        """Let an application be asked, or, where no application has the host, AWS's API."""
        call = _Call(self, request, exchange)
        if self.fleet is not None and found.block in self.fleet:
            member = self.fleet[found.block]
            if found.resource:
                member.forward(as_written(request, exchange), exchange, call.unavailable)
            else:
                spawn(self._visit_domain(member, call))
        elif found.block in self.running or (found.resource and self.cloud.has(found.block)):
            data_plane.answer(self, found, request, exchange, lambda: self.admit(call.start))
        else:
            call.start()

    async def _visit_domain(self, member: SupervisedBlock, call: _Call) -> None:
        """Let a block in a process of its own answer where it has the host as a domain, else AWS's API."""
        if await self._domains.has(member, data_plane_routing.bare_host(call.request.headers.get("host", ""))):
            request = as_written(call.request, call.exchange)
            self.admit(lambda: member.forward(request, call.exchange, call.unavailable))
        else:
            self.admit(call.start)

    def is_allowed_origin(self, headers: dict[str, str], *, has_rules: bool = False) -> bool:
        """Whether the page, if any, that a request comes from is answered; `has_rules`: a bucket's rules say so."""
        if has_rules:
            return self.is_allowed_host(headers)
        return not self._is_open or not cross_origin.is_cross_origin(headers)

    def is_allowed_host(self, headers: dict[str, str]) -> bool:
        """Whether a browser, if it is one, is answered under the name by which it asks."""
        return not self._is_open or not cross_origin.is_rebound_host(headers, self.public_host)

    def is_possible_csrf(self, request: HttpRequest, claim: Claim | None, service: Service, handler: Handler) -> bool:
        """Whether a request would change something, and may be that of some page which a browser shows."""
        if not self._is_open or handler.is_read_only or handler.name in service.from_pages:
            return False
        if not is_possible_csrf(request.method, request.headers):
            return False
        return claim is None or not self.authenticator.knows(claim)

    def admit(self, step: Callable[[], None]) -> None:
        """Take the next step of a request, or keep it waiting while all blocks are stopped."""
        if self._held is None:
            step()
        else:
            self._held.append(step)

    def pause(self) -> None:
        """Keep requests waiting from now on, while all blocks are stopped for a moment."""
        self._held = self._held or []

    def resume(self) -> None:
        """Let those that waited go on."""
        held, self._held = self._held or [], None
        for step in held:
            step()


def _is_wanted_whole(request: HttpRequest, found: routing.Route, claim: Claim | None) -> bool:
    """Whether a request needs all of its body to go on: to be parsed, or since its hash was signed."""
    if not found.operation.streaming_input:
        return True
    return claim is not None and claim.expires is None and "x-amz-content-sha256" not in request.headers


class _Call:
    """One request on its way."""

    __slots__ = (
        "claim",
        "context",
        "exchange",
        "front",
        "operation",
        "principal",
        "protocol",
        "region",
        "request",
        "request_id",
        "route",
        "service",
    )

    def __init__(self, front: FrontDoor, request: HttpRequest, exchange: Exchange) -> None:
        self.front = front
        self.request = request
        self.exchange = exchange
        self.request_id = uuid4()
        self.claim: Claim | None = None
        self.protocol = "json"
        self.service: ServiceModel = front.nobody
        self.operation: Operation | None = None
        self.route: routing.Route | None = None
        self.principal = ANONYMOUS
        self.region = ""
        self.context: Context | None = None

    def start(self) -> None:
        """Go as far as the request allows at once; whatever goes wrong is answered."""
        if self.identify():
            self.run()

    def identify(self) -> bool:
        """Find out what the request is for and who makes it; return whether that is known now.

        Where it is not, it is answered, or goes on by itself later.
        """
        try:
            return self._identify()
        except WireError as error:
            self._fail(error)
        except Exception as error:
            self._fail_unexpectedly(error)
        return False

    def run(self) -> None:
        """Run the operation, once it is known who wants it, unless nobody waits for it any more."""
        if self.exchange.gone:
            return
        try:
            self._run()
        except WireError as error:
            self._fail(error)
        except Exception as error:
            self._fail_unexpectedly(error)

    def unavailable(self) -> None:
        """Answer that the block does not run."""
        self._fail(unavailable())

    def _identify(self) -> bool:
        request = self.request
        try:
            self.claim = sigv2.claim(request) or sigv4.claim(request)
        except sigv4.Malformed as error:
            self._name_service(None)
            raise auth.unreadable(self.service, error, request) from error
        if self.claim is not None and self.front.authenticator.is_to_be_looked_up(self.claim):
            spawn(self._look_up_key(self.claim.access_key))
            return False
        if not isinstance(request.body, bytes) and request.headers.get("content-type", "").startswith(
            "application/x-www-form-urlencoded"
        ):
            # The query protocols say in their body what they are about.
            self.protocol = routing.protocol_of(request, None)
            self.service = routing.get_unknown_service(self.protocol)
            spawn(self._collect(request))
            return False
        found = self._name_service(self.claim)
        has_rules = cross_origin.has_rules(request, found.service, found.operation.name, self.claim)
        if not self.front.is_allowed_origin(request.headers, has_rules=has_rules):
            raise cross_origin.refused(found.service)
        fleet = self.front.fleet
        if fleet is not None and found.block in fleet:
            fleet[found.block].forward(request, self.exchange, self.unavailable)
            return False
        if not isinstance(request.body, bytes) and _is_wanted_whole(request, found, self.claim):
            spawn(self._collect(request))
            return False
        # Browsers ask for leave in advance with the URL that is signed for the request to come: nobody signs OPTIONS.
        claim = None if found.operation.http_method == "OPTIONS" else self.claim
        caller = self.front.authenticator.authenticate(request, claim, found.model, found.path_of(request))
        if caller.body is not request.body:
            self.request = request = HttpRequest(
                request.method, request.path, request.query, request.headers, caller.body
            )
        self.principal = caller.principal
        self.region = routing.region_of(request, self.claim)
        if self.principal.kind in ("user", "assumed-role"):
            self.front.cloud.permissions.note_use(self.principal, found.model.name, self.region)
        if not isinstance(request.body, bytes) and not found.operation.streaming_input:
            spawn(self._collect_then_run(request))
            return False
        return True

    def _name_service(self, claim: Claim | None) -> routing.Route:
        """Find out what the request is for; errors are written in that service's way from here on."""
        try:
            found = routing.route(self.request, claim, self.front.public_host)
        except routing.Unroutable as unroutable:
            self.service, self.protocol = unroutable.model, unroutable.protocol
            raise unroutable.error from unroutable
        self._take_route(found)
        return found

    def _take_route(self, found: routing.Route) -> None:
        self.route = found
        self.service, self.protocol, self.operation = found.model, found.protocol, found.operation

    def _run(self) -> None:
        front, request, found, principal = self.front, self.request, self.route, self.principal
        if found is None:
            raise RuntimeError("a call was run before it was routed")
        operation = found.operation
        # What runs is found without a call of the cloud, which is interpreted.
        block = front.running.get(found.block) or front.cloud.block(found.block)
        service = block.service
        if found.key not in service.handlers:
            raise not_implemented(found.service, operation.name, service.instead.get(found.key, ""))
        if principal is ANONYMOUS and not service.admits_anonymous(operation.name):
            raise auth.missing_token(found.model)
        if front.is_possible_csrf(request, self.claim, service, service.handlers[found.key]):
            raise cross_origin.refused(found.service)
        secure = self.exchange.secure
        endpoint = ("https://" if secure else "http://") + request.headers.get("host", "localhost")
        read = request
        if found.address is not None:
            read = HttpRequest(request.method, *found.address, request.headers, request.body)
            if request.path.endswith(read.path):
                endpoint += request.path[: -len(read.path)]
        if service.check_request is not None:
            service.check_request(operation, read)
        source_arn = request.headers.get(SOURCE_ARN_HEADER, "") if principal.kind == "service" else ""
        is_by_service = principal.kind == "service" or bool(principal.invoked_by)
        context = Context(
            block,
            principal,
            principal.account,
            self.region,
            self.request_id,
            endpoint,
            self.exchange.peer,
            secure,
            found.protocol,
            request.headers,
            source_arn,
            request.method,
            request.headers.get(IDEMPOTENCY_HEADER, "") if is_by_service else "",
        )
        self.context = context
        try:
            params = operation.parse(found.protocol, read)
        except InvalidRequest as invalid:
            error = invalid if service.invalid_request is None else service.invalid_request(invalid)
            if invalid.violations:
                for tell in block.rejected:
                    tell(context, service.handlers[found.key], invalid, error)
            raise error from invalid
        invocation = block.invoke(context, found.key, params, self._done)
        if invocation is not None and not self.exchange.answered:
            self.exchange.on_abort = invocation.cancel

    async def _look_up_key(self, access_key: str) -> None:
        """Ask IAM for an access key, then go on."""
        try:
            await self.front.cloud.permissions.load_key(access_key)
        except WireError as error:
            self._fail(error)
        except Exception as error:
            self._fail_unexpectedly(error)
        else:
            self.front.admit(self.start)

    async def _collect(self, request: HttpRequest) -> None:
        if await self._read_body(request):
            self.front.admit(self.start)

    async def _collect_then_run(self, request: HttpRequest) -> None:
        if await self._read_body(request):
            self.front.admit(self.run)

    async def _read_body(self, request: HttpRequest) -> bool:
        """Replace the request's streamed body by its bytes; answer the request where that fails."""
        assert not isinstance(request.body, bytes)  # noqa: S101 - for the type checker: the callers have looked
        front = self.front
        account = front.authenticator.account_of(self.claim)
        # However slowly somebody sends, he keeps no other account waiting, and a stranger none that has a key.
        if account is None:
            place: AbstractAsyncContextManager[None] = front.collecting_for_strangers
            limit = LARGEST_BODY_OF_STRANGERS
        else:
            place = front.collecting.hold(account)
            operation = "" if self.operation is None else self.operation.name
            limit = _LARGER_BODIES.get(operation) or _LARGER_BODIES.get(self.service.name, _LARGEST_BODY)
        try:
            async with place, asyncio.timeout(front.collecting_seconds):
                body = await request.body.read(limit)
        except WireError as error:
            self._fail(error)
            return False
        except ValueError:
            self._fail(AwsError("RequestEntityTooLarge", "The request's body is too large.", status=413))
            return False
        except TimeoutError:
            self._fail(AwsError("RequestTimeout", "The request's body took too long to come.", status=408))
            return False
        except ConnectionError:
            return False
        self.request = HttpRequest(request.method, request.path, request.query, request.headers, body)
        return True

    def _done(self, result: Result, error: WireError | None) -> None:
        if self.front.done is None:
            self.answer(result, error)
        else:
            self.front.done.append((self, result, error))

    def answer(self, result: Result, error: WireError | None) -> None:
        """Say what has come of it."""
        if error is not None:
            self._fail(error)
            return
        operation = self.operation
        if operation is None:
            raise RuntimeError("a call was answered before it was routed")
        try:
            self._respond(operation.serialize(self.protocol, result or {}, self.request_id))
        except Exception as failure:
            self._fail_unexpectedly(failure)

    def _fail(self, error: WireError) -> None:
        try:
            response = self.service.serialize_error(self.protocol, error, self.request_id, self.operation)
            self._respond(response, error.code)
        except Exception as failure:
            self._fail_unexpectedly(failure)

    def _fail_unexpectedly(self, failure: Exception) -> None:
        """A fault of our own: the details go to the log, the caller is told the request's id."""
        log.error("request %s failed: %s %s", self.request_id, self.request.method, self.request.path, exc_info=failure)
        error = internal_failure(self.request_id)
        try:
            self._respond(self.service.serialize_error(self.protocol, error, self.request_id), error.code)
        except Exception:
            # It is no affair of the requests that take their steps together with this one.
            log.exception("request %s could not be answered", self.request_id)

    def _respond(self, response: HttpResponse, code: str = "") -> None:
        if self.front.logs_access:
            access_log.info(
                "%s %s:%s %d",
                self.exchange.peer,
                self.service.name or "-",
                self.operation.name if self.operation else "-",
                response.status,
                extra={"request_id": self.request_id, "error": code, "status": response.status},
            )
        headers = self.request.headers
        if "origin" in headers and self.service.name != "s3" and self.front.is_allowed_origin(headers):
            response.headers += cross_origin.make_cors_headers()
        context = self.context
        if context is None:
            self.exchange.respond(response)
            return
        if context.response_status is not None and not code:
            response.status = context.response_status
        if context.response_headers:
            response.headers += context.response_headers
        least, body = context.block.service.compressed_from, response.body
        if least is not None and isinstance(body, bytes) and len(body) >= least:
            name = coding(headers.get("accept-encoding", ""))
            if name is not None:
                spawn(self._respond_compressed(response, body, name))
                return
        self.exchange.respond(response)

    async def _respond_compressed(self, response: HttpResponse, body: bytes, name: str) -> None:
        response.body = packed = await asyncio.to_thread(compress, body, name)
        response.headers = [checksum(packed) if header[0] == CHECKSUM else header for header in response.headers]
        response.headers.append(("content-encoding", name))
        self.exchange.respond(response)
