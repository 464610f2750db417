"""A compiled WebSocket API: handshakes, messages to their routes, and the end of connections."""

from __future__ import annotations

from base64 import b64decode, b64encode
from hashlib import sha1

import msgspec

from cloudlet.core import Transaction
from cloudlet.core.background.workers import offload_if
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import uuid4
from cloudlet.core.kernel.web import Answer, DataPlaneRequest, Upgrade
from cloudlet.core.telemetry.metrics import is_measured
from cloudlet.services.apigateway import access_log, authorizing, deploying, documents, gateways, measuring
from cloudlet.services.apigateway.answers import Refused
from cloudlet.services.apigateway.authorizing import FunctionAuthorizer, forbidden, unauthorized
from cloudlet.services.apigateway.documents import Place
from cloudlet.services.apigateway.domains import Mapped
from cloudlet.services.apigateway.functions import Failed
from cloudlet.services.apigateway.naming import domain_of
from cloudlet.services.apigateway.websocket import integrating
from cloudlet.services.apigateway.websocket.client import GOING_AWAY, Client, Full
from cloudlet.services.apigateway.websocket.compiled import Route, Stage, stage_of
from cloudlet.services.apigateway.websocket.event import CONNECT, DISCONNECT, MESSAGE, Event, Session
from cloudlet.services.apigateway.websocket.registry import REGISTRIES
from cloudlet.store.eager import spawn
from cloudlet.wire import HttpResponse

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, section 1.3."""
_PROTOCOLS = "sec-websocket-protocol"
_encode = msgspec.json.Encoder().encode


class WebSocketGateway:
    """A WebSocket API."""

    def __init__(self, block: Block, place: Place, api_id: str, stages: dict[str, Stage], *, is_closed: bool) -> None:
        """`is_closed`: only custom domains lead to it."""
        self._block = block
        self._place = place
        self._id = api_id
        self.stages = stages
        self._is_closed = is_closed

    async def answer(self, visit: DataPlaneRequest, mapped: Mapped | None) -> Answer:
        """Answer a request, which is a handshake."""
        if mapped is None:
            name, _, rest = visit.path[1:].partition("/")
        else:
            name, rest = mapped.stage, mapped.path[1:]
        stage = None if rest or (mapped is None and self._is_closed) else self.stages.get(name)
        if stage is None:
            return _refusal(403, "Forbidden")
        key = visit.request.headers.get("sec-websocket-key", "")
        if not visit.upgradable or not _is_handshake(visit, key):
            return _refusal(426, "Upgrade Required", ("upgrade", "websocket"), ("sec-websocket-version", "13"))
        session = Session(
            self._place,
            self._id,
            stage.name,
            domain_of(visit),
            visit.request.headers.get("host", ""),
            visit.peer,
            visit.request.headers.get("user-agent", ""),
        )
        session.connected = self._block.clock.now()
        return await self._connect(visit, stage, session, key)

    async def _connect(self, visit: DataPlaneRequest, stage: Stage, session: Session, key: str) -> Answer:
        event = Event(session, stage, CONNECT, session.connected)
        event.headers = {**visit.request.headers, "x-forwarded-for": visit.peer}
        event.query = visit.request.query
        event.route = stage.routes.get("$connect")
        chosen = ""
        try:
            if event.route is not None:
                chosen = await self._connected(visit, event, event.route)
        except Refused as refused:
            event.status, event.error = refused.status, refused.text
            self._note(event)
            body = {"message": refused.text, "connectionId": session.id, "requestId": event.request_id}
            return HttpResponse(refused.status, [("content-type", "application/json")], _encode(body))
        client = Client(session, self._block.clock, REGISTRIES.get(self._block).add, self._heard, self._gone)
        self._note(event)
        return Upgrade(_head(key, chosen), client)

    async def _connected(self, visit: DataPlaneRequest, event: Event, route: Route) -> str:
        """Ask who decides whether a client may connect; return the subprotocol that he chose. Raises Refused."""
        if route.bucket is not None and not route.bucket.admits():
            raise Refused(429, "Too Many Requests", reason="the route is throttled")
        missing = [name for name in route.required if event.lookup(name) is None]
        if missing:
            names = ", ".join(name.rpartition(".")[2] for name in missing)
            raise Refused(400, f"Missing required request parameters: [{names}]", "BAD_REQUEST_PARAMETERS")
        if route.authorization == "AWS_IAM":
            event.session.principal = await authorizing.admit_signer(
                self._block, self._place, visit, event.request_id, event.headers, event.arn
            )
        elif route.authorizer is not None:
            await self._ask(event, route.authorizer)
        if route.integration is None:
            return ""
        try:
            answer = await integrating.call(self._block, event, route.integration)
        except Failed as failed:
            status = 504 if failed.status in (503, 504) else 502
            raise Refused(status, "Internal server error", reason=str(failed)) from failed
        if not 200 <= answer.status < 300:
            status = answer.status if answer.status >= 400 else 502
            raise Refused(status, _MESSAGES.get(status, "Internal server error"))
        wanted = [each.strip() for each in event.headers.get(_PROTOCOLS, "").split(",")]
        chosen = answer.headers.get(_PROTOCOLS, "")
        return chosen if chosen in wanted else ""

    async def _ask(self, event: Event, authorizer: FunctionAuthorizer) -> None:
        try:
            if authorizer.identity(event.lookup) is None:
                raise unauthorized("an identity source is missing")
            api_arn = event.arn.partition("/")[0]
            verdict = await authorizer.ask(self._block, self._place, api_arn, event.authorizer_event())
            if not authorizing.admits(verdict, self._place, event.arn):
                raise forbidden("the authorizer does not let the caller in")
        except Refused as refused:
            event.authorizer_error = refused.reason
            raise
        event.session.principal_id = verdict.principal_id
        event.session.authorizer = verdict.context

    # -- messages

    def _heard(self, client: Client, body: bytes, is_binary: bool) -> None:
        spawn(self._message(client, body, is_binary))

    async def _message(self, client: Client, body: bytes, is_binary: bool) -> None:
        try:
            if client.noting is not None:
                # Whoever is told of the message may answer the client by way of another process.
                await client.noting
                client.noting = None
            # The API may have changed since the client came.
            gateway = await gateways.find(self._block, self._id)
            stage = gateway.stages.get(client.session.stage) if isinstance(gateway, WebSocketGateway) else None
            if stage is None:
                client.close(GOING_AWAY, "Going away")
                return
            event = Event(client.session, stage, MESSAGE, self._block.clock.now())
            event.body, event.is_binary = body, is_binary
            await self._route(client, stage, event)
            self._note(event)
        except (Full, ConnectionError):
            # The client does not want the answer any more.
            return
        finally:
            client.worked()

    async def _route(self, client: Client, stage: Stage, event: Event) -> None:
        key = stage.selection.value(event.lookup) or ""
        own = None if key.startswith("$") else stage.routes.get(key)
        event.route = route = own or stage.routes.get("$default")
        if route is None:
            event.status = 403
            await self._tell(client, event, "Forbidden")
            return
        if route.bucket is not None and not route.bucket.admits():
            event.status = 429
            await self._tell(client, event, "Too Many Requests")
            return
        if not await self._is_valid(event, route):
            event.status = 400
            await self._tell(client, event, "Invalid request body")
            return
        if route.integration is None:
            event.status = 500
            await self._tell(client, event, "Internal server error")
            return
        try:
            answer = await integrating.call(self._block, event, route.integration)
        except Failed as failed:
            event.status = 504 if failed.status in (503, 504) else 500
            timed_out = "timed out" in str(failed) or failed.status == 504
            await self._tell(client, event, "Endpoint request timed out" if timed_out else "Internal server error")
            return
        event.status = answer.status
        if route.answers and answer.goes_back and answer.body:
            await client.send(answer.body)

    async def _is_valid(self, event: Event, route: Route) -> bool:
        """Whether a message is as its model wants it. Developer guide, "Request validation for WebSocket APIs"."""
        if route.model is None:
            return True
        model = route.find_model(event.lookup)
        if model is None:
            return False
        return not await offload_if(model.takes_long(event.body), self._place.account, model.errors, event.body)

    async def _tell(self, client: Client, event: Event, text: str) -> None:
        """Tell a client that a message of his was not dealt with."""
        event.error = text
        body = {"message": text, "connectionId": client.session.id, "requestId": event.request_id}
        await client.send(_encode(body))

    # -- the end

    def _gone(self, client: Client, code: int, reason: str) -> None:
        spawn(self._disconnect(client, code, reason))

    async def _disconnect(self, client: Client, code: int, reason: str) -> None:
        await REGISTRIES.get(self._block).forget(client)
        gateway = await gateways.find(self._block, self._id)
        stage = gateway.stages.get(client.session.stage) if isinstance(gateway, WebSocketGateway) else None
        if stage is None:
            return
        event = Event(client.session, stage, DISCONNECT, self._block.clock.now())
        event.route = route = stage.routes.get("$disconnect")
        event.more = {"disconnectStatusCode": code, "disconnectReason": reason}
        if route is not None and route.integration is not None:
            try:
                event.status = (await integrating.call(self._block, event, route.integration)).status
            except Failed:
                # It is told to the logs; there is nobody else to tell.
                event.status = 500
        self._note(event)

    # -- what is told of it

    def _note(self, event: Event) -> None:
        log = event.stage.log
        if log is not None:
            access_log.note(self._block, log.group, int(event.time * 1000), log.line(event.context))
        if not is_measured(self._block):
            return
        api, stage = ("ApiId", self._id), ("Stage", event.session.stage)
        route = ("Route", event.key or "$default")
        for meter in measuring.meters(self._block, self._place, (api,), (api, stage), (api, route, stage)):
            if event.kind == CONNECT:
                meter.add("ConnectCount", "Count", 1.0)
            elif event.kind == MESSAGE:
                meter.add("MessageCount", "Count", 1.0)
            meter.add("ClientError", "Count", 1.0 if 400 <= event.status < 500 else 0.0)
            meter.add("ExecutionError", "Count", 1.0 if event.status >= 500 and not event.integration_error else 0.0)
            meter.add("IntegrationError", "Count", 1.0 if event.integration_error else 0.0)
            if event.integration_millis is not None:
                meter.add("IntegrationLatency", "Milliseconds", float(event.integration_millis))


_MESSAGES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 429: "Too Many Requests"}


def _is_handshake(visit: DataPlaneRequest, key: str) -> bool:
    """Whether a request asks for a WebSocket as RFC 6455 (section 4.2.1) has it."""
    headers = visit.request.headers
    if visit.request.method != "GET" or headers.get("sec-websocket-version") != "13":
        return False
    if headers.get("upgrade", "").lower() != "websocket":
        return False
    try:
        return len(b64decode(key, validate=True)) == 16
    except ValueError:
        return False


def _head(key: str, protocol: str) -> bytes:
    accept = b64encode(sha1(key.encode() + _MAGIC, usedforsecurity=False).digest()).decode()
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "upgrade: websocket",
        "connection: upgrade",
        f"sec-websocket-accept: {accept}",
        *([f"{_PROTOCOLS}: {protocol}"] if protocol else []),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _refusal(status: int, text: str, *headers: tuple[str, str]) -> HttpResponse:
    body = _encode({"message": text, "requestId": uuid4()})
    return HttpResponse(status, [("content-type", "application/json"), *headers], body)


async def _compile(block: Block, tx: Transaction, place: Place, api_id: str) -> WebSocketGateway | None:
    api = await documents.find_api(tx, place, api_id)
    if api is None:
        return None
    stages = {
        stage["StageName"]: stage_of(place, api_id, stage, snapshot)
        for stage, snapshot in await deploying.deployed_stages(tx, api)
    }
    return WebSocketGateway(block, place, api_id, stages, is_closed=bool(api.get("DisableExecuteApiEndpoint")))


gateways.compilers["WEBSOCKET"] = _compile
