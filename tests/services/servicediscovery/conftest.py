"""Cloud Map of an account."""

from __future__ import annotations

import pytest

from cloudlet.testing.server import Aws
from tests.services.servicediscovery.map_cloud import MapCloud


@pytest.fixture
def cloud(aws: Aws) -> MapCloud:
    """Clients of an account of its own."""
    return MapCloud(aws)
