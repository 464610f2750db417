"""CloudWatch of an account, and a Cloudlet whose clock the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cloudlet.services.cloudwatch import evaluating
from cloudlet.testing.server import Aws
from tests.services.cloudwatch.local import LocalCloud, local_cloud


@pytest.fixture
def cw(aws: Aws) -> Any:
    """A client of an account of its own."""
    return aws.client("cloudwatch")


@pytest.fixture
def hour() -> datetime:
    """The beginning of the last hour but one."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalCloud]:
    """A Cloudlet in this process, with a clock that stands until it is moved, and nothing that comes late."""
    monkeypatch.setattr(evaluating, "LATE_SECONDS", 0)
    with local_cloud(tmp_path) as running:
        yield running
