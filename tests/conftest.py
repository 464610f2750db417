"""What all tests have: a server whose clock stands, and how properties are tried."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from tests.standing import standing

__all__ = ["standing"]

# How long an example takes says how busy the machine is. What is made once for all examples of a test (an account, a
# folder) is to be shared by them. Models leave out what makes no sense as they go.
settings.register_profile(
    "cloudlet",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
settings.load_profile("cloudlet")
