"""EventBridge of an account."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudlet.services.events import delivering
from cloudlet.testing.server import Aws
from tests.services.events.cloud import EventCloud
from tests.services.events.local import Local


@pytest.fixture
def cloud(aws: Aws) -> EventCloud:
    """Clients of an account of its own."""
    return EventCloud(aws)


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Local]:
    """EventBridge within the test, whose deliveries the test makes."""
    running = Local(tmp_path)
    monkeypatch.setattr(delivering, "attempt", running.attempt)
    yield running
    running.close()
