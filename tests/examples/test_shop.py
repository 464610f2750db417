"""The shop of examples/shop, as a user runs it: the demo in a process of its own, on a fresh account."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

SHOP = Path(__file__).parents[2] / "examples" / "shop"


def run(aws: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "demo.py", *arguments],
        cwd=SHOP,
        env={**os.environ, **aws.environment},
        capture_output=True,
        text=True,
        timeout=90,
    )


def test_every_order_is_handled_once_and_in_order_though_one_was_poisoned(aws: Any) -> None:
    shop = run(aws)

    assert shop.returncode == 0, shop.stdout + shop.stderr
    assert "failed, try 3 of 3: cannot charge hideo in JPY" in shop.stdout
    assert "messages moved: 1" in shop.stdout


def test_the_shop_opens_again_on_the_queues_it_left_and_cleans_up(aws: Any) -> None:
    for _ in range(2):
        shop = run(aws)
        assert shop.returncode == 0, shop.stdout + shop.stderr

    assert run(aws, "--clean-up").returncode == 0
    assert aws.client("sqs").list_queues().get("QueueUrls", []) == []
