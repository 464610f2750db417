"""Dashboards to look at in a browser: /_cloudlet/cloudwatch/dashboards/<account>/<name>, and widgets as PNG.

Nobody signs there, so that it is there in open mode only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import parse_qsl, unquote

from cloudlet.core import Arn, AwsError, Transaction
from cloudlet.core.background.workers import run_in_worker
from cloudlet.core.kernel.block import Block
from cloudlet.services.cloudwatch import alarm as alarms
from cloudlet.services.cloudwatch import dashboard as dashboards
from cloudlet.services.cloudwatch import dashboard_html, drawing, log_widget, widget
from cloudlet.services.cloudwatch.alarm import Alarm
from cloudlet.services.cloudwatch.asker import Asker
from cloudlet.services.cloudwatch.block import service
from cloudlet.services.cloudwatch.dashboard import Dashboard
from cloudlet.services.cloudwatch.dashboard_html import Span
from cloudlet.services.cloudwatch.log_widget import Found
from cloudlet.wire import HttpRequest, HttpResponse

FOLDER = "dashboards"
_PATH = re.compile(r"(\d{12})/(?:([A-Za-z0-9_-]{1,255})(?:/(\d{1,3})\.png)?)?")
_MOST = 1000
_REFRESHED_SECONDS, _MOST_SECONDS = 60, 86_400
_HTML = "text/html; charset=utf-8"


@service.folder(FOLDER)
async def show(block: Block, request: HttpRequest, path: str) -> HttpResponse:
    """Answer for the dashboards of an account, one of them, or the picture of one of its widgets."""
    if block.cloud.config.auth != "open":
        return _told(403, "Dashboards can be looked at in open mode only, as nobody has to sign here.")
    match = _PATH.fullmatch(unquote(path))
    if match is None:
        return _told(404, f"There is {FOLDER}/<account>/, with <name> and <name>/<number of the widget>.png below it.")
    account, name, number = match.groups()
    if name is None:
        found = await dashboards.listed(block.store, account, "", "", _MOST)
        return _answer(200, _HTML, dashboard_html.listed(account, [one.name for one in found]).encode())
    dashboard = await block.store.transact(lambda tx: dashboards.find(tx, account, name))
    if dashboard is None:
        return _told(404, f"Dashboard {name} does not exist")
    query = dict(parse_qsl(request.query))
    if number is None:
        return await _page(block, dashboard, query)
    return await _picture(block, dashboard, int(number), query)


async def _page(block: Block, dashboard: Dashboard, query: Mapping[str, str]) -> HttpResponse:
    body = json.loads(dashboard.body)
    text = query.get("refresh", "")
    refreshed = min(int(text), _MOST_SECONDS) if text.isascii() and text.isdecimal() else _REFRESHED_SECONDS
    span, now = dashboard_html.span_of(body, query), block.clock.now()
    known = dashboard_html.Known(
        await block.store.transact(lambda tx: _alarms(tx, dashboard.account, body)),
        await _logs(block, dashboard.account, body, span, now),
    )
    page = await run_in_worker(dashboard.account, dashboard_html.page, dashboard, body, span, refreshed, known, now)
    return _answer(200, _HTML, page.encode())


async def _logs(
    block: Block, account: str, body: Mapping[str, Any], span: Span, now: float
) -> Mapping[int, Found | AwsError]:
    """Return what a dashboard's widgets of logs show."""
    widgets = {at: one["properties"] for at, one in enumerate(body.get("widgets") or ()) if one["type"] == "log"}
    try:
        begin, end = widget.span({"start": span.start, "end": span.end}, now)
    except AwsError as error:
        return dict.fromkeys(widgets, error)
    return await log_widget.find_all(block, account, widgets, begin, end)


async def _alarms(tx: Transaction, account: str, body: Mapping[str, Any]) -> dict[str, Alarm]:
    """Return the alarms of a dashboard's alarm widgets by their ARNs: those of its account that are there."""
    known: dict[str, Alarm] = {}
    for one in body.get("widgets") or ():
        for text in dashboard_html.arns_of(one["properties"]) if one["type"] == "alarm" else ():
            try:
                arn = Arn.parse(text)
            except ValueError:
                continue
            found = await alarms.find(tx, account, arn.region, alarms.name_of(text)) if arn.account == account else None
            if found is not None:
                known[text] = found
    return known


async def _picture(block: Block, dashboard: Dashboard, number: int, query: Mapping[str, str]) -> HttpResponse:
    body = json.loads(dashboard.body)
    widgets = body.get("widgets") or []
    if number >= len(widgets) or widgets[number]["type"] != "metric":
        return _told(404, f"There is no metric widget {number} in {dashboard.name}.")
    text, region = dashboard_html.drawn(widgets[number], dashboard_html.span_of(body, query))
    asker = Asker(block.store, dashboard.account, region, block.clock.now())
    try:
        return _answer(200, "image/png", await drawing.picture_of(asker, text))
    except AwsError as error:
        return _told(error.status or 400, error.message)


def _told(status: int, text: str) -> HttpResponse:
    return _answer(status, _HTML, f"<!doctype html><p>{escape(text)}</p>".encode())


def _answer(status: int, kind: str, content: bytes) -> HttpResponse:
    headers = [
        ("content-type", kind),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
    ]
    return HttpResponse(status, headers, content)
