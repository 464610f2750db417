"""Pipes of an account."""

from __future__ import annotations

import pytest

from cloudlet.testing.server import Aws
from tests.services.pipes.cloud import PipesCloud


@pytest.fixture
def cloud(aws: Aws) -> PipesCloud:
    """Clients of an account of its own."""
    return PipesCloud(aws)
