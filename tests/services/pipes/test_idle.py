"""Pipes that have nothing to do do next to nothing."""

from __future__ import annotations

import time

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.edge.test_idle import LOOKED_AT_SECONDS, MOST_BUSY, busy_seconds
from tests.services.pipes.cloud import PipesCloud


def test_pipes_without_events_are_idle() -> None:
    with Server.start("--ephemeral") as server:
        assert server.process is not None
        cloud = PipesCloud(Aws(server.endpoint, fresh_account()))
        url, arn = cloud.queue()
        table = cloud.aws.client("dynamodb").create_table(
            TableName="table",
            KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
        )
        latest = {"DynamoDBStreamParameters": {"StartingPosition": "LATEST"}}
        stream = table["TableDescription"]["LatestStreamArn"]
        cloud.pipe(arn, name="stream", source=stream, SourceParameters=latest)
        for number in range(10):
            cloud.pipe(arn, name=f"queue-{number}")
        cloud.send("x")
        cloud.received(url)
        quietest = LOOKED_AT_SECONDS
        for _ in range(5):
            before = busy_seconds(server.process.pid)
            time.sleep(LOOKED_AT_SECONDS)
            quietest = min(quietest, busy_seconds(server.process.pid) - before)
            if quietest < MOST_BUSY:
                return
        raise AssertionError(f"{quietest:.2f} s of processor time in {LOOKED_AT_SECONDS} s")
