"""Dashboards as HTML. API reference, "Dashboard Body Structure and Syntax".

What users have written is text: nothing of it becomes HTML but what `markdown` makes of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from cloudlet.core import AwsError
from cloudlet.services.cloudwatch import markdown, picture, widget
from cloudlet.services.cloudwatch.alarm import Alarm
from cloudlet.services.cloudwatch.dashboard import Dashboard
from cloudlet.services.cloudwatch.log_widget import Found

_COLUMN_PIXELS = _ROW_PIXELS = 60
_MOST_PIXELS = 2000
_SIDE = 6
"""Width and height of a widget that does not say them."""
_START = "-PT3H"
_RANGES = {"-PT15M": "15 minutes", "-PT1H": "1 hour", _START: "3 hours", "-PT12H": "12 hours", "-P1D": "1 day"}
_RANGES |= {"-P3D": "3 days", "-P1W": "1 week", "-P15D": "15 days"}
_REFRESHED = {10: "every 10 seconds", 60: "every minute", 300: "every 5 minutes", 0: "never"}
_STYLE = """
body{font:14px/1.4 system-ui,sans-serif;margin:16px;background:#f2f3f3;color:#16191f}
main{display:grid;grid-template-columns:repeat(24,minmax(0,1fr));grid-auto-rows:60px;gap:8px}
section{background:#fff;border-radius:4px;box-shadow:0 1px 2px #0003;overflow:auto;padding:0 8px}
section.metric:has(img){padding:0;overflow:hidden}.metric img{display:block;width:100%;height:100%;object-fit:contain}
header{display:flex;gap:16px;align-items:center}h1{font-size:20px}
table{border-collapse:collapse}td,th{border:1px solid #d5dbdb;padding:2px 8px;text-align:left}
.button{display:inline-block;padding:2px 12px;border:1px solid #545b64;border-radius:3px;text-decoration:none}
@media(max-width:900px){main{display:block}section{margin-bottom:8px}.metric img{height:auto}header{flex-wrap:wrap}}
.OK{color:#1d8102}.ALARM{color:#d13212;font-weight:bold}.INSUFFICIENT_DATA{color:#687078}.note{color:#687078}
"""
_HEAD = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src 'self' data:; "
    "style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'\">"
    # Else browsers ask for /favicon.ico, which is a bucket's name here.
    '<link rel="icon" href="data:,">'
)
Widget = Mapping[str, Any]


class Span(NamedTuple):
    """From when to when widgets show what they show, as their own `start` and `end` say it."""

    start: str
    end: str | None


def span_of(body: Mapping[str, Any], query: Mapping[str, str]) -> Span:
    """Return the span of a dashboard: what is asked for, else its own."""
    if query.get("start"):
        return Span(query["start"], query.get("end") or None)
    return Span(str(body.get("start") or _START), None if body.get("end") is None else str(body["end"]))


def listed(account: str, names: Iterable[str]) -> str:
    """Return the page of an account's dashboards."""
    links = "".join(f'<li><a href="{quote(name)}">{escape(name)}</a></li>' for name in names)
    title = f"Dashboards of {escape(account)}"
    return f"{_HEAD}<title>{title}</title><style>{_STYLE}</style><h1>{title}</h1><ul>{links or 'None.'}</ul></html>"


class Known(NamedTuple):
    """What widgets show that is no picture: alarms by ARN, and what queries of logs found by the widget's number."""

    alarms: Mapping[str, Alarm]
    logs: Mapping[int, Found | AwsError]


def page(dashboard: Dashboard, body: Mapping[str, Any], span: Span, refreshed: int, known: Known, now: float) -> str:
    """Return the page of a dashboard, which is loaded again every so many seconds."""
    again = f'<meta http-equiv="refresh" content="{refreshed}">' if refreshed else ""
    name = escape(dashboard.name)
    widgets = "".join(
        _section(dashboard, number, one, span, known, now) for number, one in enumerate(body.get("widgets") or ())
    )
    note = '<span class="note">Variables are not there.</span>' if body.get("variables") else ""
    return (
        f'{_HEAD}{again}<title>{name}</title><style>{_STYLE}</style><header><a href="./">Dashboards</a><h1>{name}</h1>'
        f"{_form(span, refreshed)}{note}</header><main>{widgets}</main></html>"
    )


def _form(span: Span, refreshed: int) -> str:
    ranges = _RANGES if span.start in _RANGES else {span.start: span.start, **_RANGES}
    again = _REFRESHED if refreshed in _REFRESHED else {refreshed: f"every {refreshed} seconds", **_REFRESHED}
    return (
        f"<form>The last {_select('start', ranges, span.start)} loaded again "
        f"{_select('refresh', again, refreshed)} <button>Show</button></form>"
    )


def _select(name: str, options: Mapping[Any, str], chosen: object) -> str:
    shown = "".join(
        f'<option value="{escape(str(value))}"{" selected" if value == chosen else ""}>{escape(text)}</option>'
        for value, text in options.items()
    )
    return f'<select name="{name}">{shown}</select>'


def _section(dashboard: Dashboard, number: int, one: Widget, span: Span, known: Known, now: float) -> str:
    kind, properties = one["type"], one["properties"]
    wide, high = _size(one)
    column = f"{one['x'] + 1} / span {wide}" if "x" in one else f"span {wide}"
    row = f"{one['y'] + 1} / span {high}" if "y" in one else f"span {high}"
    match kind:
        case "metric":
            inner = _metric(dashboard, number, one, span, now)
        case "text":
            inner = markdown.html_of(str(properties["markdown"]))
        case "alarm":
            inner = _alarms(properties, known.alarms)
        case "log":
            inner = _logs(properties, known.logs[number])
        case _:
            inner = f'<p class="note">Widgets of the type {escape(kind)} are not drawn.</p>'
    return f'<section class="{escape(kind)}" style="grid-column:{column};grid-row:{row}">{inner}</section>'


def _size(one: Widget) -> tuple[int, int]:
    return int(one.get("width", _SIDE)), int(one.get("height", _SIDE))


def _metric(dashboard: Dashboard, number: int, one: Widget, span: Span, now: float) -> str:
    title = escape(str(one["properties"].get("title") or f"widget {number + 1}"))
    try:
        text, region = drawn(one, span)
        widget.parse(text, region, dashboard.account, now)
        picture.check()
    except AwsError as error:
        return f'<p>{title}</p><p class="note">{escape(error.message)}</p>'
    asked = {"start": span.start} if span.end is None else {"start": span.start, "end": span.end}
    source = f"{quote(dashboard.name)}/{number}.png?{urlencode(asked)}"
    return f'<img src="{escape(source)}" alt="{title}">'


def _alarms(properties: Mapping[str, Any], known: Mapping[str, Alarm]) -> str:
    states = properties.get("states")
    rows = []
    for arn in arns_of(properties):
        alarm = known.get(arn)
        state = "no such alarm" if alarm is None else alarm.state
        if alarm is None or not isinstance(states, list) or state in states:
            name = arn if alarm is None else alarm.name
            rows.append(f'<tr><td>{escape(name)}</td><td class="{escape(state)}">{escape(state)}</td></tr>')
    return f"{_title(properties)}<table>{''.join(rows)}</table>"


def _title(properties: Mapping[str, Any]) -> str:
    return f"<h3>{escape(str(properties['title']))}</h3>" if properties.get("title") else ""


def _logs(properties: Mapping[str, Any], found: Found | AwsError) -> str:
    if isinstance(found, AwsError):
        return f'{_title(properties)}<p class="note">{escape(found.message)}</p>'
    head = "".join(f"<th>{escape(column)}</th>" for column in found.columns)
    rows = "".join(f"<tr>{''.join(f'<td>{escape(value)}</td>' for value in row)}</tr>" for row in found.rows)
    return f"{_title(properties)}<table><tr>{head}</tr>{rows}</table>"


def arns_of(properties: Mapping[str, Any]) -> list[str]:
    """Return the ARNs of the alarms in an alarm widget."""
    given = properties.get("alarms")
    return [arn for arn in given if isinstance(arn, str)] if isinstance(given, list) else []


def drawn(one: Widget, span: Span) -> tuple[str, str]:
    """Return what GetMetricWidgetImage takes for a metric widget, and the region that it is of. Raises AwsError."""
    properties = dict(one["properties"])
    # These concern what one does with a picture, or what it looks like in small.
    for name in ("liveData", "sparkline", "setPeriodToTimeRange", "trend"):
        properties.pop(name, None)
    properties.setdefault("start", span.start)
    if span.end is not None:
        properties.setdefault("end", span.end)
    wide, high = _size(one)
    properties |= {
        "width": min(wide * _COLUMN_PIXELS, _MOST_PIXELS),
        "height": min(high * _ROW_PIXELS, _MOST_PIXELS),
    }
    region = properties.get("region")
    return json.dumps(properties), region if isinstance(region, str) and region else "us-east-1"
