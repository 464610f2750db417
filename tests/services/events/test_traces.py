"""The trace header of PutEvents goes with the entries that have none (API reference, "PutEventsRequestEntry")."""

from __future__ import annotations

from cloudlet.testing.server import Aws
from tests.services.events.cloud import EventCloud
from tests.traced import TRACE, trace_of, traced

OTHER = "Root=1-5e3d83c1-aaaaaaaaaaaaaaaaaaaaaaaa;Sampled=0"


def test_a_queue_gets_the_header_of_the_entry_or_else_of_the_request(aws: Aws) -> None:
    cloud = EventCloud(aws)
    url, arn = cloud.queue()
    cloud.rule({"Id": "1", "Arn": arn})
    cloud.events = traced(aws, "events")
    cloud.put()
    assert trace_of(cloud.sqs, url) == TRACE
    cloud.put(TraceHeader=OTHER)
    assert trace_of(cloud.sqs, url) == OTHER
