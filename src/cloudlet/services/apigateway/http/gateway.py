"""A compiled HTTP API: from a request to its answer."""

from __future__ import annotations

from time import perf_counter

from cloudlet.core import Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.web import Answer, DataPlaneRequest
from cloudlet.core.telemetry.metrics import is_measured
from cloudlet.services.apigateway import access_log, bodies, deploying, documents, gateways, measuring
from cloudlet.services.apigateway.answers import Refused, message
from cloudlet.services.apigateway.documents import Place
from cloudlet.services.apigateway.domains import Mapped
from cloudlet.services.apigateway.http import admission, integrating
from cloudlet.services.apigateway.http.call import Call, decoded
from cloudlet.services.apigateway.http.compiled import Route, Stage, stage_of
from cloudlet.services.apigateway.route_check import DEFAULT
from cloudlet.wire import HttpResponse


class HttpGateway:
    """An HTTP API."""

    def __init__(self, block: Block, place: Place, api_id: str, stages: dict[str, Stage], *, is_closed: bool) -> None:
        """`is_closed`: only custom domains lead to it."""
        self._block = block
        self._place = place
        self._id = api_id
        self._stages = stages
        self._is_closed = is_closed

    async def answer(self, visit: DataPlaneRequest, mapped: Mapped | None) -> Answer:
        """Answer a request."""
        if mapped is None and self._is_closed:
            return message(404, "Not Found")
        stage, path = self._stage(visit, mapped)
        if stage is None:
            return message(404, "Not Found")
        call = Call(self._block, self._place, self._id, visit, stage, decoded(path), mapped)
        try:
            response = await self._answer(call, stage)
        except Refused as refused:
            call.error, call.error_type = refused.text, refused.response_type
            if refused.response_type in ("UNAUTHORIZED", "ACCESS_DENIED", "AUTHORIZER_CONFIGURATION_ERROR"):
                call.authorizer_error = refused.reason
            response = refused.response
        if stage.cors is not None:
            _say_who_may_read(call, stage, response)
        response.headers.append(("apigw-requestid", call.id))
        self._note(call, stage, response)
        return response

    def _stage(self, visit: DataPlaneRequest, mapped: Mapped | None) -> tuple[Stage | None, str]:
        """Return the stage that a request is for, and the path below it."""
        if mapped is not None:
            return self._stages.get(mapped.stage), mapped.path
        name, _, rest = visit.path[1:].partition("/")
        stage = self._stages.get(name)
        if stage is not None and name != DEFAULT:
            return stage, f"/{rest}"
        default = self._stages.get(DEFAULT)
        if name == DEFAULT and visit.prefix:
            return default, f"/{rest}"
        return default, visit.path

    async def _answer(self, call: Call, stage: Stage) -> HttpResponse:
        headers = call.headers
        is_preflight = call.method == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers
        if stage.cors is not None and is_preflight:
            return HttpResponse(204, stage.cors.preflight(headers))
        found = stage.table.find(call.method, call.path)
        if found is None:
            raise Refused(404, "Not Found", "ROUTE_NOT_FOUND", reason="no route matches")
        route, call.variables = found
        call.route = route
        if route.bucket is not None and not route.bucket.admits():
            raise Refused(429, "Too Many Requests", "THROTTLED", reason="the route is throttled")
        async with bodies.read(self._block, self._place.account, call.visit) as call.body:
            if route.authorization != "NONE":
                await admission.admit(call, route)
            if route.integration is None:
                reason = "the route has no integration"
                raise Refused(500, "Internal Server Error", "API_CONFIGURATION_ERROR", reason=reason)
            return await integrating.answer(call, route.integration)

    def _note(self, call: Call, stage: Stage, response: HttpResponse) -> None:
        """Tell metrics and the access log of a request."""
        call.status = response.status
        call.response_size = len(response.body) if isinstance(response.body, bytes) else 0
        if is_measured(self._block):
            self._measure(call, stage, call.route)
        if stage.log is not None:
            line = stage.log.line(call.context)
            access_log.note(self._block, stage.log.group, int(call.time * 1000), line)

    def _measure(self, call: Call, stage: Stage, route: Route | None) -> None:
        api = ("ApiId", self._id)
        of_stage = ("Stage", stage.name)
        dimensions: list[tuple[tuple[str, str], ...]] = [(api,), (api, of_stage)]
        if route is not None and route.is_detailed:
            dimensions.append((api, ("Method", call.method), ("Resource", route.path), of_stage))
        millis = (perf_counter() - call.started) * 1000
        for meter in measuring.meters(self._block, self._place, *dimensions):
            meter.add("Count", "Count", 1.0)
            meter.add("4xx", "Count", 1.0 if 400 <= call.status < 500 else 0.0)
            meter.add("5xx", "Count", 1.0 if call.status >= 500 else 0.0)
            meter.add("DataProcessed", "Bytes", float(len(call.body) + call.response_size))
            meter.add("Latency", "Milliseconds", float(int(millis)))
            if call.integration_millis is not None:
                meter.add("IntegrationLatency", "Milliseconds", float(call.integration_millis))


def _say_who_may_read(call: Call, stage: Stage, response: HttpResponse) -> None:
    """Put the CORS headers of the API in place of those that the integration has given."""
    if response.status == 204 and call.method == "OPTIONS" and call.route is None:
        return
    response.headers = [pair for pair in response.headers if not pair[0].lower().startswith("access-control-")]
    origin = call.headers.get("origin")
    if origin is not None and stage.cors is not None:
        response.headers += stage.cors.simple(origin)


async def _compile(block: Block, tx: Transaction, place: Place, api_id: str) -> HttpGateway | None:
    api = await documents.find_api(tx, place, api_id)
    if api is None:
        return None
    stages = {
        stage["StageName"]: stage_of(place, api_id, stage, snapshot)
        for stage, snapshot in await deploying.deployed_stages(tx, api)
    }
    return HttpGateway(block, place, api_id, stages, is_closed=bool(api.get("DisableExecuteApiEndpoint")))


gateways.compilers["HTTP"] = _compile
