"""Who has made and changed what, as AWS CloudTrail has recorded it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

CALLS_SHOWN = 4


def changes(cloudtrail: Any, since: datetime) -> list[dict[str, Any]]:
    """Return the calls since a time that have changed something."""
    pages = cloudtrail.get_paginator("lookup_events").paginate(
        LookupAttributes=[{"AttributeKey": "ReadOnly", "AttributeValue": "false"}], StartTime=since
    )
    events = [event for page in pages for event in page["Events"]]
    # Of things that were there already the attempt to create them is on record.
    return [event for event in events if "errorCode" not in json.loads(event["CloudTrailEvent"])]


def told(events: list[dict[str, Any]]) -> Iterator[str]:
    """Say of each service of AWS which calls came how often, and on whose behalf."""
    for service in sorted({event["EventSource"] for event in events}):
        of_service = [event for event in events if event["EventSource"] == service]
        calls = Counter(event["EventName"] for event in of_service).most_common()
        shown = ", ".join(f"{count} {call}" for call, count in calls[:CALLS_SHOWN])
        by = ", ".join(sorted({_caller(event) for event in of_service}))
        more = ", …" if len(calls) > CALLS_SHOWN else ""
        yield f"{service.partition('.')[0]:<16} {len(of_service):>3} by {by}: {shown}{more}"


def _caller(event: dict[str, Any]) -> str:
    """Return who called: a service of AWS for us, or we."""
    identity = json.loads(event["CloudTrailEvent"])["userIdentity"]
    return str(identity.get("invokedBy", "us")).partition(".")[0]
