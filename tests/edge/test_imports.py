"""What is not imported before it is needed: it would take memory, and time at the start."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

START = "cloudlet.cli.up", "cloudlet.edge.server"


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        (START, ["boto3", "botocore", "cryptography", "duckdb", "http.client", "json", "email.message", "rocksdict"]),
        ((*START, "cloudlet.services.sqs.api"), ["boto3", "botocore", "cryptography", "http.client"]),
        ((*START, "cloudlet.services.s3.api"), ["awscrt", "boto3", "botocore", "cryptography", "duckdb"]),
        (("cloudlet.cli.clock", "cloudlet.cli.down"), ["asyncio", "cloudlet.core", "cloudlet.store", "cloudlet.wire"]),
    ],
)
def test_what_is_heavy_is_imported_by_who_needs_it(modules: tuple[str, ...], heavy: list[str]) -> None:
    program = f"import sys, {', '.join(modules)}; print(*(each for each in {heavy!r} if each in sys.modules))"
    # What notes the coverage imports some of it.
    variables = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=variables)
    assert ended.stdout.split() == []
