"""A compiled REST API: from a request to its answer."""

from __future__ import annotations

from cloudlet.core import Transaction
from cloudlet.core.background.workers import offload_if
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.core.kernel.web import Answer, DataPlaneRequest
from cloudlet.services.apigateway import bodies, documents, gateways
from cloudlet.services.apigateway.answers import Refused
from cloudlet.services.apigateway.documents import Document, Place
from cloudlet.services.apigateway.domains import Mapped
from cloudlet.services.apigateway.http.call import decoded
from cloudlet.services.apigateway.outward import LARGEST_BYTES
from cloudlet.services.apigateway.rest import admission, binary, deploying, integrating, reporting, segments, store
from cloudlet.services.apigateway.rest.caching import Entry, Key
from cloudlet.services.apigateway.rest.call import Call
from cloudlet.services.apigateway.rest.compiled import Method, Stage
from cloudlet.services.apigateway.rest.gateway_responses import GatewayResponses
from cloudlet.services.apigateway.rest.refusal import Refusal
from cloudlet.services.apigateway.rest.trace import Trace
from cloudlet.wire import HttpResponse

_NO_RESPONSES = GatewayResponses([])


class Deployed:
    """A stage with its canary, if it has one."""

    __slots__ = ("canary", "percent", "stage")

    def __init__(self, stage: Stage, canary: Stage | None, percent: float) -> None:
        self.stage = stage
        self.canary = canary
        self.percent = percent
        """How much of the requests the canary answers."""

    def chosen(self) -> Stage:
        """Return which of the two answers a request."""
        if self.canary is None or not self.percent:
            return self.stage
        return self.canary if int.from_bytes(random_bytes(4)) / (1 << 32) * 100 < self.percent else self.stage


class RestGateway:
    """A REST API."""

    def __init__(self, block: Block, place: Place, stages: dict[str, Deployed], *, is_closed: bool) -> None:
        """`is_closed`: only custom domains lead to it."""
        self._block = block
        self._place = place
        self._stages = stages
        self._is_closed = is_closed

    async def answer(self, visit: DataPlaneRequest, mapped: Mapped | None) -> Answer:
        """Answer a request."""
        if mapped is not None and mapped.stage:
            name, path = mapped.stage, mapped.path
        else:
            name, _, rest = (visit.path if mapped is None else mapped.path)[1:].partition("/")
            path = f"/{rest}"
        deployed = self._stages.get(name)
        if deployed is None or (mapped is None and self._is_closed):
            return _NO_RESPONSES.response("INVALID_API_KEY", 403, "", lambda _: '"Forbidden"')
        call = Call(self._block, self._place, visit, deployed.chosen(), decoded(path), mapped)
        segments.begin(call)
        response = await self._answered(call)
        reporting.report(call, response)
        segments.add(call, response)
        return response

    async def _answered(self, call: Call) -> HttpResponse:
        """Return the answer to a call, whatever becomes of it."""
        try:
            try:
                method = _method(call)
                async with bodies.read(self._block, self._place.account, call.visit) as call.body:
                    response = await self._admitted(call, method)
            except Refused as refused:
                raise Refusal(refused.response_type, refused.text, refused.reason) from refused
        except Refusal as refusal:
            response = await refused_answer(call, refusal)
        await finish(call, response)
        return response

    async def _admitted(self, call: Call, method: Method) -> HttpResponse:
        coding = call.headers.get("content-encoding", "").lower()
        if coding and call.stage.compressed_from is not None and coding != "identity":
            call.body = await binary.beside_if_large(
                call.place.account, binary.inflated, call.body, coding, LARGEST_BYTES
            )
            del call.headers["content-encoding"]
        call.trace.data("Method request body before transformations", call.body)
        if method.bucket is not None and not method.bucket.admits():
            raise Refusal("THROTTLED", "Too Many Requests", "the method is throttled")
        await admission.admit(call, method)
        await method.check.check(call)
        return await _cached(call, method)


def _method(call: Call) -> Method:
    """Return the method that a call is for. Raises Refusal."""
    found = call.stage.table.find(call.path, lambda resource: resource.method(call.verb) is not None)
    method = None
    if found is not None:
        resource, call.variables = found
        call.resource = resource.path
        method = resource.method(call.verb)
    if method is None:
        raise Refusal("MISSING_AUTHENTICATION_TOKEN", "Missing Authentication Token", "there is no such method")
    call.method = method
    level = method.settings.get("loggingLevel", "OFF")
    call.trace = Trace(
        level != "OFF", with_data=bool(method.settings.get("dataTraceEnabled")), now=call.block.clock.now
    )
    begin(call)
    return method


def begin(call: Call) -> None:
    """Tell what a call is for."""
    trace = call.trace
    if not trace.is_on:
        return
    if trace.with_data:
        authorizer = None if call.method is None else call.method.authorizer
        trace.hide(call.headers, call.queries, () if authorizer is None else authorizer.secrets(call))
    trace.note(f"Starting execution for request: {call.id}")
    trace.note(f"HTTP Method: {call.verb}, Resource Path: {call.resource}")
    trace.data("Method request path", call.variables)
    trace.data("Method request query string", call.queries)
    trace.data("Method request headers", call.titled_headers)


async def refused_answer(call: Call, refusal: Refusal) -> HttpResponse:
    """Return the gateway response to a call."""
    call.error = refusal.context
    call.trace.error(refusal.reason)
    responses = call.stage.responses
    accepted = call.headers.get("accept", "")
    kind, status = refusal.kind, refusal.status
    takes_long = responses.takes_long(kind, status)
    return await offload_if(takes_long, call.place.account, responses.response, kind, status, accepted, call.lookup)


async def finish(call: Call, response: HttpResponse) -> None:
    """Give an answer what a gateway adds, and tell of it."""
    least = call.stage.compressed_from
    body = response.body if isinstance(response.body, bytes) else b""
    known = {name for name, _ in response.headers}
    if least is not None and body and len(body) >= least and "content-encoding" not in known:
        accepted = call.headers.get("accept-encoding", "")
        response.body, coding = await binary.beside_if_large(call.place.account, binary.deflated, body, accepted)
        if coding:
            response.headers.append(("content-encoding", coding))
    if call.warning:
        response.headers.append(("warning", call.warning))
    call.status = response.status
    call.response_size = len(response.body) if isinstance(response.body, bytes) else 0
    call.trace.data("Method response body after transformations", body)
    call.trace.data("Method response headers", dict(response.headers))
    if not call.trace.failed:
        call.trace.note("Successfully completed execution")
    call.trace.note(f"Method completed with status: {response.status}")
    response.headers += [("x-amzn-requestid", call.id), ("x-amz-apigw-id", call.extended_id)]


# -- the cache of a stage


async def _cached(call: Call, method: Method) -> HttpResponse:
    """Let the integration answer, unless the cache knows what it would say."""
    cache = call.stage.cache
    if cache is None or not method.caches or call.is_test:
        return await integrating.answer(call, method.integration)
    key = _cache_key(call, method)
    now = call.block.clock.now()
    if "max-age=0" in call.headers.get("cache-control", "").replace(" ", "") and _invalidates(call, method):
        cache.drop(key)
    known = cache.get(key, now)
    call.from_cache = known is not None
    if known is not None:
        return HttpResponse(known.status, list(known.headers), known.body)
    response = await integrating.answer(call, method.integration)
    seconds = method.settings.get("cacheTtlInSeconds", 0)
    if 200 <= response.status < 300 and seconds and isinstance(response.body, bytes):
        cache.keep(key, Entry(now + seconds, response.status, tuple(response.headers), response.body))
    return response


def _cache_key(call: Call, method: Method) -> Key:
    integration = method.integration
    names = [
        integration.parameters.get(name.removeprefix("integration.request."), name)
        for name in integration.cache_parameters
    ]
    # Paths that differ in their variables differ in what is answered; by the query, only where that is said.
    return (integration.cache_namespace, call.verb, call.path, *(call.lookup(name) or "" for name in names))


def _invalidates(call: Call, method: Method) -> bool:
    """Whether a client may have an answer taken out of the cache: one who has signed, and may. Raises Refusal.

    Developer guide, "Grant permissions to invalidate the API cache".
    """
    settings = method.settings
    if not settings.get("requireAuthorizationForCacheControl"):
        return True
    if call.principal is not None and call.stage.policy.decide(call, "execute-api:InvalidateCache").allowed:
        return True
    match settings.get("unauthorizedCacheControlHeaderStrategy"):
        case "FAIL_WITH_403":
            raise Refusal("ACCESS_DENIED", "User is not authorized to access this resource", "the cache is not his")
        case "SUCCEED_WITH_RESPONSE_HEADER":
            call.warning = "199 Cache-control headers were ignored because the caller was unauthorized."
    return False


# -- compiling


def _deployed(place: Place, document: Document, snapshot: deploying.Snapshot, canary: Stage | None) -> Deployed:
    stage = Stage(place.account, place.region, document, snapshot, is_canary=False)
    settings = document.get("canarySettings") or {}
    if canary is not None and settings.get("useStageCache"):
        canary.cache = stage.cache
    return Deployed(stage, canary, settings.get("percentTraffic", 0.0))


async def compile_api(block: Block, tx: Transaction, place: Place, api_id: str) -> RestGateway | None:
    """Read an API with all that was deployed of it, and compile it."""
    api = await store.find_api(tx, place.account, place.region, api_id)
    if api is None:
        return None
    stages = {}
    for document in await documents.all_parts(tx, api_id, "Stage"):
        snapshot = await deploying.snapshot_of(tx, api_id, document["deploymentId"])
        if snapshot is None:
            continue
        canary = None
        settings = document.get("canarySettings")
        if settings:
            released = await deploying.snapshot_of(tx, api_id, settings["deploymentId"])
            if released is not None:
                canary = Stage(place.account, place.region, document, released, is_canary=True)
        stages[document["stageName"]] = _deployed(place, document, snapshot, canary)
    return RestGateway(block, place, stages, is_closed=bool(api.get("disableExecuteApiEndpoint")))


gateways.compilers[store.PROTOCOL] = compile_api
