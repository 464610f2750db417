"""Route 53 of an account."""

from __future__ import annotations

import pytest

from cloudlet.testing.server import Aws
from tests.services.route53.zone_cloud import ZoneCloud


@pytest.fixture
def cloud(aws: Aws) -> ZoneCloud:
    """Clients of an account of its own."""
    return ZoneCloud(aws)


@pytest.fixture
def zone(cloud: ZoneCloud) -> str:
    """The id of a public zone, example.com."""
    return cloud.create_zone()
