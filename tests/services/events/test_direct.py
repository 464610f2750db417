"""Deliveries to queues while who puts events waits, within the test."""

from __future__ import annotations

import pytest

from cloudlet.services.events import attempting
from tests.services.events.local import ACCOUNT, REGION, Local

pytestmark = pytest.mark.interpreted


@pytest.fixture(autouse=True)
def directly(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test makes these deliveries, too."""
    monkeypatch.setattr(attempting, "attempt", local.attempt)


def to_queue(local: Local) -> None:
    """Put a rule for events of the source "shop", with a queue."""
    local.call("PutRule", Name="r", EventPattern='{"source":["shop"]}')
    local.call("PutTargets", Rule="r", Targets=[{"Id": "q", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"}])


def test_a_queue_that_takes_long_is_left_to_the_outbox(local: Local) -> None:
    to_queue(local)
    local.put(1)
    assert local.left("delivery")
    # What comes next is written down at once, and not tried by who puts it.
    local.put(1)
    assert len(local.left("delivery")) == 2
    local.open.set()
    local.until(local.nothing_is_left)
    # The first one may have been accepted by the queue: it is tried again all the same.
    assert len(local.tried) == 3


def test_what_a_queue_takes_at_once_is_never_written_down(local: Local) -> None:
    local.open.set()
    to_queue(local)
    local.put(1)
    assert len(local.tried) == 1
    assert local.nothing_is_left()
