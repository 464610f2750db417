"""IAM of an account of the test's own."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.testing.server import Aws


@pytest.fixture
def iam(aws: Aws) -> Any:
    """A client of IAM."""
    return aws.client("iam")
