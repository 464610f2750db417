"""The pytest plugin: a running Cloudlet for the session, and an account of its own for each test.

It is there as soon as Cloudlet is installed. `aws.client("sqs")` is a boto3 client; nothing of a test is seen by
another, so tests may run in parallel.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cloudlet.testing.server import Aws, Server, fresh_account


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("cloudlet")
    group.addoption("--cloudlet-endpoint", help="use the Cloudlet that runs there instead of starting one")


@pytest.fixture(scope="session")
def cloudlet_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A Cloudlet that keeps nothing on disk, on a port of its own."""
    endpoint = request.config.getoption("--cloudlet-endpoint")
    if endpoint:
        yield Server(endpoint)
        return
    with Server.start("--ephemeral") as server:
        yield server


@pytest.fixture
def aws(cloudlet_server: Server) -> Aws:
    """A fresh account on the running Cloudlet."""
    return Aws(cloudlet_server.endpoint, fresh_account())
