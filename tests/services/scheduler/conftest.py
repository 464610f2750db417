"""EventBridge Scheduler of an account."""

from __future__ import annotations

import pytest

from cloudlet.testing.server import Aws
from tests.services.scheduler.cloud import SchedulerCloud


@pytest.fixture
def cloud(aws: Aws) -> SchedulerCloud:
    """Clients of an account of its own."""
    return SchedulerCloud(aws)
