"""Widgets of logs: what a query of Logs Insights finds. API reference, "Dashboard Body Structure and Syntax".

A widget's query begins with the log groups that it is about: `SOURCE '/shop/orders' | SOURCE '/shop/web' | fields …`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from cloudlet.core import AwsError
from cloudlet.core.kernel.block import Block
from cloudlet.services.cloudwatch import errors

_SOURCE = re.compile(r"\s*SOURCE\s+(?:'([^']+)'|\"([^\"]+)\")\s*\|?", re.IGNORECASE)
_PATIENCE_SECONDS = 10.0
_PAUSE_SECONDS = 0.05
_MOST_ROWS = 1000
_AT_ONCE = 10
_UNDER_WAY = ("Scheduled", "Running", "Unknown")
_POINTER = "@ptr"


class Found(NamedTuple):
    """What a query has found."""

    columns: list[str]
    rows: list[list[str]]


async def find(
    block: Block, account: str, region: str, properties: Mapping[str, Any], begin: float, end: float
) -> Found:
    """Run the query of a widget over a span of time. Raises AwsError."""

    async def call(operation: str, params: dict[str, Any]) -> Mapping[str, Any]:
        return await block.call("logs", operation, params, account=account, region=region) or {}

    names, text = _parsed(str(properties["query"]))
    asked = {"logGroupNames": names, "queryString": text, "startTime": int(begin), "endTime": int(end)}
    id = (await call("StartQuery", {**asked, "limit": _MOST_ROWS}))["queryId"]
    loop = asyncio.get_running_loop()
    until = loop.time() + _PATIENCE_SECONDS
    while (answer := await call("GetQueryResults", {"queryId": id}))["status"] in _UNDER_WAY:
        if loop.time() > until:
            await call("StopQuery", {"queryId": id})
            raise errors.validation(f"The query has not ended within {_PATIENCE_SECONDS:g} seconds.")
        await asyncio.sleep(_PAUSE_SECONDS)
    if answer["status"] != "Complete":
        raise errors.validation(f"The query ended with the status {answer['status']}.")
    return _table(answer.get("results") or ())


def _parsed(query: str) -> tuple[list[str], str]:
    """Return the log groups that a query begins with, and what follows. Raises AwsError."""
    names = []
    at = 0
    while match := _SOURCE.match(query, at):
        names.append(match[1] or match[2])
        at = match.end()
    if not names:
        raise errors.validation("The query of a widget begins with its log groups: SOURCE 'name' | …")
    return names, query[at:].strip() or "fields @timestamp, @message"


def _table(results: Any) -> Found:
    rows = [{one["field"]: one.get("value") or "" for one in row if one["field"] != _POINTER} for row in results]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return Found(columns, [[row.get(name, "") for name in columns] for row in rows])


async def find_all(
    block: Block, account: str, widgets: Mapping[int, Mapping[str, Any]], begin: float, end: float
) -> dict[int, Found | AwsError]:
    """Return what the widgets of logs have found, by their numbers; or why they have not."""
    turn = asyncio.Semaphore(_AT_ONCE)

    async def one(properties: Mapping[str, Any]) -> Found | AwsError:
        try:
            async with turn:
                return await find(block, account, str(properties["region"]), properties, begin, end)
        except AwsError as error:
            return error

    found = await asyncio.gather(*map(one, widgets.values()))
    return dict(zip(widgets, found, strict=True))
