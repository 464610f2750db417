"""What all tests have: a server whose clock stands, how properties are tried, and where coverage is noted."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import HealthCheck, settings

from cloudlet.testing.server import Aws, Server
from tests.modes import shared_by_tests
from tests.postgres.server import stop_shared_server
from tests.standing import Standing, standing
from tests.strict_accounts import Account, Accounts, strict_accounts

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


def pytest_unconfigure() -> None:
    """Stop what `atexit` would not: pytest-xdist ends its processes without it."""
    stop_shared_server()


def pytest_collection_finish() -> None:
    """Spare the collector what is kept to the end, a million objects: it would look through them again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


_COVERAGE = "COVERAGE_PROCESS_CONFIG"
"""By this coverage.py has Python note, in whichever process, what is passed through."""


@pytest.fixture(scope="session", autouse=True)
def noting() -> Mapping[str, str]:
    """The environment of processes that note coverage. All others do not, and start a tenth of a second sooner.

    There are a thousand. Coverage is noted by the tests themselves, and by the servers that many of them share.
    """
    coverage = os.environ.pop(_COVERAGE, None)
    return {} if coverage is None else {_COVERAGE: coverage}


@pytest.fixture(scope="session")
def cloudlet_server(noting: Mapping[str, str]) -> Iterator[Server]:
    """In place of the plugin's: it notes coverage, and is run as CLOUDLET_TEST_MODE says."""
    with shared_by_tests(noting) as server:
        yield server


@pytest.fixture(scope="session")
def accounts(noting: Mapping[str, str]) -> Iterator[Accounts]:
    """Accounts of a server that enforces permissions."""
    with strict_accounts(noting) as accounts:
        yield accounts


@pytest.fixture
def strict_account(accounts: Accounts) -> Account:
    """An account of its own where permissions are enforced."""
    return accounts.make()


@pytest.fixture
def other_account(accounts: Accounts) -> Account:
    """Another one."""
    return accounts.make()
