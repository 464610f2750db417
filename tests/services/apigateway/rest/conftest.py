"""REST APIs of an account."""

from __future__ import annotations

import pytest

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.services.apigateway.rest.cloud import RestCloud


@pytest.fixture
def cloud(aws: Aws) -> RestCloud:
    """Clients of an account of its own."""
    return RestCloud(aws)


@pytest.fixture(scope="module")
def shared(cloudlet_server: Server) -> RestCloud:
    """Clients of an account that the tests of a module share, and with it its function, which is slow to make."""
    return RestCloud(Aws(cloudlet_server.endpoint, fresh_account()))
