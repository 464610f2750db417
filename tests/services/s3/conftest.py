"""A client of a fresh account, and a bucket of its own for each test."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from cloudlet.testing.server import Aws


@pytest.fixture
def s3(aws: Aws) -> Any:
    """A client that is told of every error at once."""
    from botocore.config import Config

    return aws.client("s3", config=Config(retries={"max_attempts": 0}))


@pytest.fixture
def bucket(s3: Any) -> str:
    """The name of a bucket that is empty."""
    name = f"test-{secrets.token_hex(8)}"
    s3.create_bucket(Bucket=name)
    return name
