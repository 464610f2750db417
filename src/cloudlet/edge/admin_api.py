"""Cloudlet's own paths: /_cloudlet/… and, for what people have for LocalStack, /_localstack/health."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import msgspec

import cloudlet
from cloudlet.core.authorization.denials import MAX_DENIALS
from cloudlet.core.host.shared_state import SharedState
from cloudlet.core.host.snapshots import SnapshotError, Snapshots
from cloudlet.core.kernel.cloud import Cloud
from cloudlet.core.kernel.errors import AwsError
from cloudlet.core.kernel.identity import root
from cloudlet.edge.clock_control import ClockControl, ClockError
from cloudlet.edge.exchange import Exchange
from cloudlet.edge.instances import ADMIN_HEADER
from cloudlet.edge.reports import OneProcess
from cloudlet.store import StoreError
from cloudlet.store.eager import spawn
from cloudlet.wire import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from cloudlet.edge.fleet import Supervisor

log = logging.getLogger("cloudlet.edge")

_MAX_LISTED_DENIALS: Final = 20
_ACCOUNT_DIGITS: Final = 12
_TRAIL_OPERATIONS: Final = ("GetQueryResults", "ListEventDataStores", "LookupEvents", "StartQuery")
"""Operations of CloudTrail by which `cloudlet least-policy` reads what was recorded."""
_MAX_BODY_BYTES: Final = 1 << 20

Answer = Mapping[str, Any]
Actions = dict[tuple[str, str], Callable[[], Awaitable[None]]]
"""What changes the cloud, by method and path."""


class AdminError(Exception):
    """The request cannot be done; answered with an HTTP status and a reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class AdminApi:
    """Health for everybody; all else only for who holds the admin token (see `cloudlet.edge.instances`).

    The token is a header of its own, so that no web page can use it: a browser asks first, and is told no.
    """

    def __init__(
        self,
        cloud: Cloud,
        blocks: OneProcess | Supervisor,
        snapshots: Snapshots | None,
        moving: ClockControl | None,
        shared: SharedState | None,
        admin_token: str,
    ) -> None:
        """`snapshots` is None where this process does not keep the blocks' data, `moving` where time is not its own.

        `shared` is None where it has nothing in common with other processes.
        """
        self._cloud = cloud
        self._blocks = blocks
        self._fleet = None if isinstance(blocks, OneProcess) else blocks
        self._snapshots = snapshots
        self._moving = moving
        self._shared = shared
        self._admin_token = admin_token

    def handle(self, request: HttpRequest, exchange: Exchange) -> None:
        """Answer a request for one of our own paths."""
        service = request.path.split("/", 3)[2]
        if self._fleet is not None and service in self._fleet:
            failed = _json(503, {"message": f"{service} does not run"})
            self._fleet[service].forward(request, exchange, lambda: exchange.respond(failed))
        else:
            spawn(self._answer(request, exchange))

    async def _answer(self, request: HttpRequest, exchange: Exchange) -> None:
        try:
            response = await self._page(request) or await self._own(request)
        except AdminError as refused:
            response = _json(refused.status, {"message": str(refused)})
        except AwsError as error:
            # The block, of which this is a page, cannot be opened now.
            response = _json(error.status or 500, {"message": error.message})
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            response = _json(500, {"message": "internal error: see the log"})
        exchange.respond(response)

    async def _own(self, request: HttpRequest) -> HttpResponse:
        answer = await self._route(request)
        is_refused = "ready" in request.query.split("&") and answer.get("ready") is False
        return _json(503 if is_refused else 200, answer, spaced=request.path.startswith("/_localstack/"))

    async def _page(self, request: HttpRequest) -> HttpResponse | None:
        """Answer what a block gives to read, at /_cloudlet/<service>/<name> or below."""
        service, _, name = request.path.removeprefix("/_cloudlet/").partition("/")
        if not name or request.method not in ("GET", "HEAD"):
            return None
        if self._cloud.states().get(service) not in ("available", "running"):
            return None
        block = self._cloud.block(service)
        folder, slash, path = name.partition("/")
        if slash and folder in block.service.folders:
            return await block.service.folders[folder](block, request, path)
        page = block.service.pages.get(name)
        if page is None:
            return None
        content_type, content = await page(block)
        return HttpResponse(200, [("content-type", content_type)], content)

    async def _route(self, request: HttpRequest) -> Answer:
        path = request.path.removeprefix("/_cloudlet/").rstrip("/")
        is_health = path == "health" or request.path.rstrip("/") == "/_localstack/health"
        if is_health and request.method in ("GET", "HEAD"):
            return await self._health()
        self._admit(request)
        if request.method == "GET" and path == "blocks":
            return {"blocks": await self._blocks.reports()}
        if request.method == "GET" and path == "snapshots" and self._snapshots is not None:
            return {"snapshots": self._snapshots.list()}
        kind, _, name = path.partition("/")
        if request.method == "GET" and kind == "denials":
            return await (self._explain_denial(unquote(name)) if name else self._list_denials())
        if kind == "clock":
            return await self._clock(request, name)
        if request.method == "POST" and kind == "cloudtrail":
            return await self._read_trail(name, await _read_body(request))
        if self._snapshots is None and kind in ("snapshots", "reset"):
            raise AdminError(
                409, "the data is not in the data folder of this process: it takes no snapshots and no reset"
            )
        action = self._snapshot_actions(kind, name) | self._block_actions(kind, name)
        if (request.method, path) not in action:
            raise AdminError(404, f"there is no {request.method} {request.path} here")
        try:
            await action[request.method, path]()
        except SnapshotError as error:
            raise AdminError(409, str(error)) from error
        return {}

    async def _read_trail(self, path: str, body: bytes) -> Answer:
        """Answer what CloudTrail has recorded, as it tells the root of an account.

        The path begins with the block's name, so that the front door of an isolated Cloudlet leaves it to that one.
        """
        account, _, rest = path.partition("/")
        region, _, operation = rest.partition("/")
        if operation not in _TRAIL_OPERATIONS or len(account) != _ACCOUNT_DIGITS or not account.isdecimal():
            raise AdminError(404, "there is: cloudtrail/ACCOUNT/REGION/" + ", ".join(_TRAIL_OPERATIONS))
        try:
            params = msgspec.json.decode(body or b"{}", type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise AdminError(400, f"the parameters cannot be read: {error}") from error
        caller = root(account)
        return (
            await self._cloud.call("cloudtrail", operation, params, principal=caller, account=account, region=region)
            or {}
        )

    async def _list_denials(self) -> Answer:
        """Answer the last denials, the latest one last."""
        found = self._cloud.denials.list_last(_MAX_LISTED_DENIALS)
        if self._fleet is not None:
            found += await self._fleet.list_denials()
        return {"denials": sorted(found, key=lambda denial: denial.at)[-_MAX_LISTED_DENIALS:]}

    async def _explain_denial(self, request_id: str) -> Answer:
        explanation = self._cloud.denials.explain(request_id)
        if explanation is None and self._fleet is not None:
            explanation = await self._fleet.explain_denial(request_id)
        if explanation is None:
            reason = f"no denial of a request {request_id} is known. The last {MAX_DENIALS} are, until Cloudlet stops"
            if self._cloud.config.auth == "open":
                reason += "; it runs in open mode, in which permissions are not enforced"
            raise AdminError(404, reason)
        return {"explanation": explanation}

    async def _clock(self, request: HttpRequest, action: str) -> Answer:
        moving = self._moving
        if moving is None and (request.method, action) == ("GET", ""):
            return {"now": self._cloud.clock.now(), "frozen": False, "ahead": 0.0}
        if moving is None:
            raise AdminError(409, "a block that is served alone follows the system's clock")
        body = await _read_body(request)
        match request.method, action:
            case "POST", "freeze" | "advance" | "resume" | "reset":
                try:
                    await moving.move(action, body)
                except ClockError as rejected:
                    raise AdminError(400, str(rejected)) from rejected
                except StoreError as error:
                    raise AdminError(503, f"the clock cannot be moved now: {error}") from error
            case "PUT", "":
                moving.set(body)
            case "GET", "":
                pass
            case _:
                raise AdminError(404, f"there is no {request.method} {request.path} here")
        return moving.describe()

    def _snapshot_actions(self, kind: str, name: str) -> Actions:
        snapshots = self._snapshots
        if snapshots is None:
            return {}
        if kind != "snapshots" or not name:
            return {("POST", "reset"): snapshots.reset}
        path, named = f"{kind}/{name}", unquote(name)
        return {
            ("PUT", path): lambda: snapshots.save(named),
            ("DELETE", path): lambda: snapshots.delete(named),
            ("POST", path): lambda: snapshots.restore(named),
        }

    def _block_actions(self, kind: str, path: str) -> Actions:
        name = path.partition("/")[0]
        if kind != "blocks":
            return {}
        if self._fleet is None:
            raise AdminError(409, "a block is stopped or started alone only where Cloudlet was started with --isolate")
        if name not in self._fleet:
            raise AdminError(404, f"there is no block {name}")
        member = self._fleet[name]

        async def start() -> None:
            member.listen_again()
            member.start()

        async def restart() -> None:
            await member.halt()
            await start()

        return {
            ("POST", f"blocks/{name}/start"): start,
            ("POST", f"blocks/{name}/stop"): member.stop,
            ("POST", f"blocks/{name}/restart"): restart,
        }

    def _admit(self, request: HttpRequest) -> None:
        given = request.headers.get(ADMIN_HEADER, "")
        if not hmac.compare_digest(given.encode(), self._admin_token.encode()):
            raise AdminError(
                403, f"the header {ADMIN_HEADER} must hold the token that Cloudlet has written down for its user"
            )

    async def _health(self) -> Answer:
        # LocalStack's clients look for "services"; edition and version are there for the same reason.
        return {
            "version": cloudlet.__version__,
            "edition": "cloudlet",
            "services": self._blocks.states(),
            "ready": await self._is_ready(),
        }

    async def _is_ready(self) -> bool:
        """Whether requests are carried out: all blocks in use have their data, and may write."""
        return (self._shared is None or self._shared.is_available) and await self._blocks.are_ready()


async def _read_body(request: HttpRequest) -> bytes:
    """Return the body, which may still be arriving. Raises AdminError for one that is too large."""
    if isinstance(request.body, bytes):
        return request.body
    try:
        return await request.body.read(_MAX_BODY_BYTES)
    except ValueError as error:
        raise AdminError(413, f"the body has more than {_MAX_BODY_BYTES} bytes") from error


def _json(status: int, answer: Answer, *, spaced: bool = False) -> HttpResponse:
    content = msgspec.json.encode(answer)
    if spaced:
        # As LocalStack writes it: scripts that wait for it look for '"s3": "available"'.
        content = msgspec.json.format(content, indent=0)
    return HttpResponse(status, [("content-type", "application/json")], content)
