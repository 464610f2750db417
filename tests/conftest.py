"""What all tests have: how properties are tried, and where coverage is noted."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from cloudlet.testing.server import Server

# How long an example takes says how busy the machine is. What is made once for all examples of a test (an account, a
# folder) is to be shared by them. Models leave out what makes no sense as they go.
settings.register_profile(
    "cloudlet",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
settings.load_profile("cloudlet")

_COVERAGE = "COVERAGE_PROCESS_CONFIG"
"""By this coverage.py has Python note, in whichever process, what is passed through."""


@pytest.fixture(scope="session", autouse=True)
def coverage() -> str | None:
    """Keep processes from noting coverage, each of which would take a tenth of a second more to start.

    There are a thousand. It is noted by the tests themselves, and by the server that they share.
    """
    return os.environ.pop(_COVERAGE, None)


@pytest.fixture(scope="session")
def _noting(coverage: str | None) -> None:
    if coverage is not None:
        os.environ[_COVERAGE] = coverage


@pytest.fixture(scope="session")
def cloudlet_server(_noting: None, cloudlet_server: Server) -> Server:
    """The plugin's, which notes coverage."""
    os.environ.pop(_COVERAGE, None)
    return cloudlet_server
