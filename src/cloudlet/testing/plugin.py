"""The pytest plugin: a running Cloudlet for the session, and an account of its own for each test.

It is there as soon as Cloudlet is installed. `aws.client("sqs")` is a boto3 client; nothing of a test is seen by
another, so tests may run in parallel. `aws_environment` is for code that makes its own clients.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from cloudlet.core.host.client_environment import find_overriding_variables
from cloudlet.testing.server import Aws, Server


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("cloudlet")
    group.addoption("--cloudlet-endpoint", help="use the Cloudlet that runs there instead of starting one")


@pytest.fixture(scope="session")
def cloudlet_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A Cloudlet that keeps nothing on disk, on a port of its own."""
    endpoint = request.config.getoption("--cloudlet-endpoint")
    if endpoint:
        yield _running_at(endpoint.rstrip("/"))
        return
    with Server.start("--ephemeral") as server:
        yield server


def _running_at(endpoint: str) -> Server:
    # Imported late, as it imports botocore.
    from cloudlet.testing.asking import Unanswered, health

    try:
        health(endpoint)
    except Unanswered as unanswered:
        raise pytest.UsageError(f"--cloudlet-endpoint: {unanswered}") from None
    return Server(endpoint)


@pytest.fixture
def aws(cloudlet_server: Server) -> Iterator[Aws]:
    """A fresh account on the running Cloudlet."""
    with cloudlet_server.account() as account:
        yield account


@pytest.fixture
def aws_environment(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """The account of `aws`, which the environment names too: what code makes clients by itself has it."""
    for name in find_overriding_variables(os.environ):
        monkeypatch.delenv(name)
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    if "boto3" in sys.modules:
        # It keeps the credentials that it found first.
        monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    return aws
