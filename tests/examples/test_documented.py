"""The examples of tests that README.md, docs/testing.md and docs/from-moto.md show, run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest

_ROOT = Path(__file__).parents[2]
_EXAMPLE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("page", "tests"), [("README.md", 1), ("docs/testing.md", 3), ("docs/from-moto.md", 1)])
def test_the_examples_of_a_page_pass(page: str, tests: int, tmp_path: Path) -> None:
    # What moto's users have is shown beside.
    examples = [text for text in _EXAMPLE.findall((_ROOT / page).read_text()) if "mock_aws" not in text]
    (tmp_path / "test_shown.py").write_text("\n\n".join(examples))
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert f"{tests} passed" in run.stdout, run.stdout
    assert run.returncode == 0


@pytest.mark.parametrize("page", [_ROOT / "README.md", *sorted((_ROOT / "docs").rglob("*.md"))], ids=str)
def test_a_page_shows_in_a_clone_what_the_site_shows(page: Path) -> None:
    """Neither marks that only the site's generator replaces, nor boxes that only it draws."""
    assert not re.search(r"^(--8<--|!!! |\?\?\?)", page.read_text(), re.MULTILINE)


def test_the_environment_of_one_test_is_gone_in_the_next(aws_environment: Any, aws: Any) -> None:
    assert aws_environment is aws
    assert boto3.client("sts").get_caller_identity()["Account"] == aws.account
    assert boto3.client("sqs").list_queues().get("QueueUrls", []) == []
