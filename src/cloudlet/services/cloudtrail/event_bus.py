"""What EventBridge is told: what changes something, and is logged by a trail, is on the default bus of its region.

EventBridge user guide, "AWS service events delivered via AWS CloudTrail": reads are not sent.
"""

from __future__ import annotations

from cloudlet.core.aws.service_events import Entry
from cloudlet.services.cloudtrail.event import Event

_KINDS = {"AwsServiceEvent": "AWS Service Event via CloudTrail"}
_KIND = "AWS API Call via CloudTrail"


def entry(event: Event) -> Entry:
    """Return an event as PutEvents takes it."""
    source = event.record["eventSource"].partition(".")[0]
    kind = _KINDS.get(event.record["eventType"], _KIND)
    return {"Time": event.time, "Source": f"aws.{source}", "DetailType": kind, "Detail": event.in_file}
