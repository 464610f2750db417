"""Secrets Manager of an account."""

from __future__ import annotations

import pytest

from cloudlet.testing.server import Aws
from tests.services.secretsmanager.cloud import SecretCloud


@pytest.fixture
def cloud(aws: Aws) -> SecretCloud:
    """Clients of an account of its own."""
    return SecretCloud(aws)


@pytest.fixture
def timed(account: Aws) -> SecretCloud:
    """Clients of an account where the clock stands."""
    return SecretCloud(account)
