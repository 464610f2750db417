"""Who has made and changed what, as AWS CloudTrail has recorded it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

NAMES_SHOWN = 3
_OURS = re.compile(r"shop[\w-]*")
"""The shop's own name of a thing, in what may be an ARN or a URL."""


def changes(cloudtrail: Any, since: datetime) -> list[dict[str, Any]]:
    """Return the calls since a time that have changed something."""
    pages = cloudtrail.get_paginator("lookup_events").paginate(
        LookupAttributes=[{"AttributeKey": "ReadOnly", "AttributeValue": "false"}], StartTime=since
    )
    events = [event for page in pages for event in page["Events"]]
    # Of things that were there already the attempt to create them is on record.
    return [event for event in events if "errorCode" not in json.loads(event["CloudTrailEvent"])]


def told(events: list[dict[str, Any]]) -> Iterator[str]:
    """Say what was called, how often, by whom, and of what."""
    calls: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for event in events:
        calls.setdefault((event["EventSource"].partition(".")[0], event["EventName"]), []).append(event)
    for (service, call), made in sorted(calls.items()):
        users = sorted({event.get("Username", "") for event in made})
        things = [thing["ResourceName"] for event in made for thing in event.get("Resources", [])]
        names = sorted({found[0] for thing in things if (found := _OURS.search(thing))})
        shown = ", ".join(names[:NAMES_SHOWN]) + (" …" if len(names) > NAMES_SHOWN else "")
        yield f"{service:<10} {call:<34} {len(made):>2} by {', '.join(users):<20} {shown}".rstrip()
