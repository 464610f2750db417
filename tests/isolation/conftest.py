"""A Cloudlet whose blocks are processes of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudlet.testing.server import Aws, Server, fresh_account


@pytest.fixture
def isolated(tmp_path: Path) -> Iterator[Aws]:
    """An account on an isolated Cloudlet that this test may break."""
    with Server.start("--isolate", "--data", str(tmp_path)) as server:
        yield Aws(server.endpoint, fresh_account())
