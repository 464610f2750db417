"""Tasks, tokens and sessions that are over: kept for a while, and forgotten then."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cloudlet.core import Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.services.ecs.running import sessions
from cloudlet.services.ecs.running.sessions import Session
from tests.in_process import in_block
from tests.standing import Standing, eventually


def test_a_cluster_that_was_deleted(standing: Standing) -> None:
    ecs = standing.account().client("ecs")
    ecs.create_cluster()
    (instance,) = ecs.list_container_instances()["containerInstanceArns"]
    ecs.put_attributes(attributes=[{"name": "rack", "value": "1", "targetId": instance}])
    ecs.delete_cluster(cluster="default")
    assert ecs.describe_clusters()["clusters"][0]["status"] == "INACTIVE"
    standing.advance("2h")
    eventually(lambda: ecs.describe_clusters()["failures"])


def test_a_session_that_nobody_has_opened(tmp_path: Path) -> None:
    async def scenario(block: Block) -> None:
        async def count() -> int:
            rows = await block.store.transact(lambda tx: tx.range(b"", b"\xff", limit=1000))
            return sum(b"exec-session" in key for key, _ in rows)

        async def save(now: float) -> None:
            async def body(tx: Transaction) -> None:
                sessions.save(tx, f"at {now}", Session("secret", "container", ["sh"], now + 60), now)

            await block.store.transact(body)

        await save(block.clock.now())
        left = await count()
        await save(block.clock.now() - 3600)
        async with asyncio.timeout(30):
            forgetting = asyncio.create_task(sessions.forget_old(block))
            while await count() != left:
                await asyncio.sleep(0.01)
        forgetting.cancel()

    in_block("ecs", tmp_path, scenario)
