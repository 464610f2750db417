"""Cloudlet's own paths: /_cloudlet/… and, for what people have for LocalStack, /_localstack/health."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

import cloudlet
from cloudlet.core.cloud import Cloud
from cloudlet.core.snapshots import SnapshotError, Snapshots
from cloudlet.edge.http import Exchange
from cloudlet.store.eager import spawn
from cloudlet.wire import HttpRequest, HttpResponse

log = logging.getLogger("cloudlet.edge")

ADMIN_HEADER = "x-cloudlet-admin"

Answer = Mapping[str, Any]


class Refused(Exception):
    """The request cannot be done; answered with an HTTP status and a reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Internal:
    """Health for everybody; what changes the cloud only for who holds the admin token, kept in the data folder.

    The token is a header of its own, so that no web page can use it: a browser asks first, and is told no.
    """

    def __init__(self, cloud: Cloud, snapshots: Snapshots, admin_token: str) -> None:
        self._cloud = cloud
        self._snapshots = snapshots
        self._admin_token = admin_token

    def handle(self, request: HttpRequest, exchange: Exchange) -> None:
        spawn(self._answer(request, exchange))

    async def _answer(self, request: HttpRequest, exchange: Exchange) -> None:
        try:
            response = await self._page(request) or _json(200, await self._route(request))
        except Refused as refused:
            response = _json(refused.status, {"message": str(refused)})
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            response = _json(500, {"message": "internal error: see the log"})
        exchange.respond(response)

    async def _page(self, request: HttpRequest) -> HttpResponse | None:
        """Answer what a block gives to read to everybody, at /_cloudlet/<service>/<name>."""
        service, _, name = request.path.removeprefix("/_cloudlet/").partition("/")
        if not name or request.method not in ("GET", "HEAD") or self._cloud.states().get(service) in (None, "disabled"):
            return None
        block = self._cloud.block(service)
        page = block.service.pages.get(name)
        if page is None:
            return None
        content_type, content = await page(block)
        return HttpResponse(200, [("content-type", content_type)], content)

    async def _route(self, request: HttpRequest) -> Answer:
        path = request.path.removeprefix("/_cloudlet/").rstrip("/")
        if request.method in ("GET", "HEAD"):
            if path == "health" or request.path.rstrip("/") == "/_localstack/health":
                return self._health()
            if path == "snapshots":
                return {"snapshots": self._snapshots.list()}
        self._admit(request)
        actions: dict[tuple[str, str], Callable[[], Awaitable[None]]] = {("POST", "reset"): self._snapshots.reset}
        kind, _, name = path.partition("/")
        if kind == "snapshots" and name:
            actions["PUT", path] = lambda: self._snapshots.save(name)
            actions["DELETE", path] = lambda: self._snapshots.delete(name)
            actions["POST", path] = lambda: self._snapshots.restore(name)
        action = actions.get((request.method, path))
        if action is None:
            raise Refused(404, f"there is no {request.method} {request.path}")
        try:
            await action()
        except SnapshotError as error:
            raise Refused(409, str(error)) from error
        return {}

    def _admit(self, request: HttpRequest) -> None:
        given = request.headers.get(ADMIN_HEADER, "")
        if not hmac.compare_digest(given.encode(), self._admin_token.encode()):
            raise Refused(403, f"the header {ADMIN_HEADER} must hold the token that is in the data folder")

    def _health(self) -> Answer:
        # LocalStack's clients look for "services"; edition and version are there for the same reason.
        return {"version": cloudlet.__version__, "edition": "cloudlet", "services": self._cloud.states()}


def _json(status: int, answer: Answer) -> HttpResponse:
    return HttpResponse(status, [("content-type", "application/json")], msgspec.json.encode(answer))
