"""Elastic Load Balancing of an account."""

from __future__ import annotations

import pytest

from cloudlet.testing.server import Aws
from tests.services.elbv2.lb_cloud import LbCloud


@pytest.fixture
def cloud(aws: Aws) -> LbCloud:
    """Clients of an account of its own, with a VPC."""
    return LbCloud(aws)
