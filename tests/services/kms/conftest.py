"""KMS of an account of its own, and a Cloudlet within the test's process that enforces permissions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.services.kms.local import LocalKms


@pytest.fixture
def kms(aws: Aws) -> Any:
    return aws.client("kms")


@pytest.fixture
def strict_kms(tmp_path: Path) -> Iterator[LocalKms]:
    server = LocalKms(tmp_path)
    yield server
    server.close()
