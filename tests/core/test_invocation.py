"""What becomes of a call whose account is not kept."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
import uvloop

from cloudlet.core.kernel.cloud import Cloud, Config
from cloudlet.core.kernel.identity import root
from cloudlet.core.kernel.tokens import TokenSealer

ACCOUNT = "111122223333"


def test_a_call_is_answered_though_it_cannot_be_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("as asked")

    async def main() -> None:
        cloud = Cloud(Config(tmp_path, durable=False), TokenSealer(bytes(32)))
        monkeypatch.setattr(cloud.block("sqs").service, "observer", fail)
        who: dict[str, Any] = {"principal": root(ACCOUNT), "account": ACCOUNT, "region": "us-east-1"}
        made = await asyncio.wait_for(cloud.call("sqs", "CreateQueue", {"QueueName": "q"}, **who), 10)
        listed = await asyncio.wait_for(cloud.call("sqs", "ListQueues", {}, **who), 10)
        assert made is not None
        assert listed is not None
        assert listed["QueueUrls"] == [made["QueueUrl"]]
        await cloud.close()

    with caplog.at_level(logging.ERROR, "cloudlet.core"):
        uvloop.run(main())
    assert "could not be noted" in caplog.text
