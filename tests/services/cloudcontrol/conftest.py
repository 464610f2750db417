"""Share fixtures among the tests of Cloud Control API."""

from __future__ import annotations

import pytest

from cloudlet.testing.server import Aws
from tests.services.cloudcontrol.control import Control


@pytest.fixture
def control(aws: Aws) -> Control:
    """Cloud Control API of a fresh account."""
    return Control(aws)
