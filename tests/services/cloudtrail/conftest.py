"""CloudTrail of an account of its own, and a Cloudlet whose clock the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudlet.testing.server import Aws
from tests.services.cloudtrail.local import LocalCloud


@pytest.fixture
def trails(aws: Aws) -> Any:
    return aws.client("cloudtrail")


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[LocalCloud]:
    cloud = LocalCloud(tmp_path)
    yield cloud
    cloud.close()
