"""Rows of the outbox: each delivery has one of its own."""

from __future__ import annotations

from typing import Any

import pytest

from cloudlet.services.events import outbox
from cloudlet.services.events.rule_record import Rule


class Written:
    """Keeps what a transaction puts."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}

    def put(self, key: bytes, value: bytes) -> None:
        self.rows[key] = value

    def notify(self, topic: bytes) -> None: ...


@pytest.mark.interpreted
def test_processes_that_count_alike_do_not_overwrite_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of them on one store, or one that was started again while the clock stands, give out the same numbers."""
    tx: Any = Written()
    rule = Rule("111122223333", "us-east-1", "default", "r", "ENABLED")
    target = {"Id": "q", "Arn": "arn:aws:sqs:us-east-1:111122223333:q"}
    for _ in range(3):
        monkeypatch.setattr(outbox, "_last_sequence", 0)
        outbox.save(tx, outbox.made(rule, target, "{}", 1_900_000_000.0))
    assert len(tx.rows) == 3
