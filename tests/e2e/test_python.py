"""pandas with s3fs, pyarrow and PynamoDB: their tests are in python/, and run in the clients' own environment."""

from __future__ import annotations

import pytest

from tests.e2e.client import E2E, INSTALLED
from tests.e2e.conftest import MakeClient


@pytest.mark.parametrize("library", ["pandas", "pyarrow", "pynamodb"])
def test_library(library: str, client: MakeClient, bucket: str) -> None:
    python = client(str(INSTALLED / "python"), BUCKET=bucket)
    own = ("--noconftest", "--rootdir", E2E / "python", "-c", "/dev/null", "-p", "no:cacheprovider", "--tb=short")
    python.run("-m", "pytest", "-q", *own, E2E / "python" / f"with_{library}.py")
