"""EventBridge of an account."""

from __future__ import annotations

import pytest

from cloudlet.testing.server import Aws
from tests.services.events.cloud import EventCloud


@pytest.fixture
def cloud(aws: Aws) -> EventCloud:
    """Clients of an account of its own."""
    return EventCloud(aws)
