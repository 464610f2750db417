"""Parameter Store of an account."""

from __future__ import annotations

import pytest

from cloudlet.testing.server import Aws
from tests.services.ssm.cloud import SsmCloud


@pytest.fixture
def cloud(aws: Aws) -> SsmCloud:
    """Clients of an account of its own."""
    return SsmCloud(aws)
