"""Application Auto Scaling of an account."""

from __future__ import annotations

import pytest

from cloudlet.testing.server import Aws
from tests.services.application_autoscaling.cloud import ScalingCloud
from tests.standing import Standing


@pytest.fixture
def cloud(aws: Aws) -> ScalingCloud:
    """Clients of an account of its own, with a table."""
    cloud = ScalingCloud(aws)
    cloud.create_table()
    return cloud


@pytest.fixture
def still(standing: Standing) -> ScalingCloud:
    """The same where the clock stands."""
    cloud = ScalingCloud(standing.account())
    cloud.create_table()
    return cloud
