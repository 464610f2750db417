"""Lambda of an account."""

from __future__ import annotations

import pytest

from cloudlet.testing.server import Aws
from tests.services.lambda_.cloud import FunctionCloud


@pytest.fixture
def cloud(aws: Aws) -> FunctionCloud:
    """Clients of an account of its own."""
    return FunctionCloud(aws)
