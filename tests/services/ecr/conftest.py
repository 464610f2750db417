"""ECR of an account of its own, and a repository that clients push to."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.services.ecr.registry import Registry, open_registry


@pytest.fixture
def ecr(aws: Aws) -> Any:
    return aws.client("ecr")


@pytest.fixture
def shop(aws: Aws) -> Registry:
    """The repository `shop/web`."""
    return open_registry(aws, "shop/web")
