"""API Gateway of an account, and an HTTP endpoint that it can send requests to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.services.apigateway import endpoint as endpoints
from tests.services.apigateway.cloud import GatewayCloud
from tests.services.apigateway.endpoint import Endpoint


@pytest.fixture
def cloud(aws: Aws) -> GatewayCloud:
    """Clients of an account of its own."""
    return GatewayCloud(aws)


@pytest.fixture(scope="module")
def shared(cloudlet_server: Server) -> GatewayCloud:
    """Clients of an account that the tests of a module share, and with it its function, which is slow to make."""
    return GatewayCloud(Aws(cloudlet_server.endpoint, fresh_account()))


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    """An HTTP server; the tests of a module share it."""
    with endpoints.running() as endpoint:
        yield endpoint
