"""What all tests have: a server whose clock stands, and how properties are tried."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from cloudlet.testing.server import Aws
from tests.standing import Standing, standing

__all__ = ["account", "standing"]


@pytest.fixture
def account(standing: Standing) -> Aws:
    """An account of its own where the clock stands."""
    return standing.account()


# How long an example takes says how busy the machine is. What is made once for all examples of a test (an account, a
# folder) is to be shared by them. Models leave out what makes no sense as they go.
settings.register_profile(
    "cloudlet",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
settings.load_profile("cloudlet")
