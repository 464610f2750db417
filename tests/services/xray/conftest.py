"""X-Ray of an account of its own, and what is sent to it."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.testing.server import Aws


@pytest.fixture
def xray(aws: Aws) -> Any:
    """A client of an account of its own."""
    return aws.client("xray")
