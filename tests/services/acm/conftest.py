"""ACM of an account."""

from __future__ import annotations

import pytest

from cloudlet.testing.server import Aws
from tests.services.acm.cloud import AcmCloud


@pytest.fixture
def cloud(aws: Aws) -> AcmCloud:
    """Clients of an account of its own."""
    return AcmCloud(aws)
