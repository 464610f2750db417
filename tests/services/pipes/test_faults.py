"""Each block a process of its own: the target's, or the source's, is down for a while, and nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.commands import cloudlet
from tests.services.pipes.cloud import PipesCloud
from tests.standing import eventually

_TABLE = {
    "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
}


def test_what_came_while_a_block_was_down_comes_to_the_target_afterwards(tmp_path: Path) -> None:
    with Server.start("--isolate", "--data", str(tmp_path)) as server:
        cloud = PipesCloud(Aws(server.endpoint, fresh_account()))
        cloud.hurry()
        logs, dynamodb = cloud.aws.client("logs"), cloud.aws.client("dynamodb")
        logs.create_log_group(logGroupName="g")
        stream = dynamodb.create_table(TableName="table", **_TABLE)["TableDescription"]["LatestStreamArn"]
        group = f"arn:aws:logs:us-east-1:{cloud.account}:log-group:g"
        latest = {"DynamoDBStreamParameters": {"StartingPosition": "LATEST"}}
        cloud.pipe(group, TargetParameters={"InputTemplate": "<$.body>"})
        cloud.pipe(
            group,
            name="stream",
            source=stream,
            SourceParameters=latest,
            TargetParameters={"InputTemplate": "<$.dynamodb.Keys.k.S>"},
        )

        def logged() -> set[str]:
            return {event["message"].strip('"') for event in logs.filter_log_events(logGroupName="g")["events"]}

        cloud.send("first")
        eventually(logged, lambda seen: seen == {"first"})
        assert cloudlet("block", "stop", "logs", "--port", server.port).returncode == 0
        cloud.send("second")
        dynamodb.put_item(TableName="table", Item={"k": {"S": "third"}})
        assert cloudlet("block", "start", "logs", "--port", server.port).returncode == 0
        eventually(logged, lambda seen: seen == {"first", "second", "third"})
        for block in ("sqs", "pipes"):
            assert cloudlet("block", "restart", block, "--port", server.port).returncode == 0
        cloud.send("fourth")
        eventually(logged, lambda seen: "fourth" in seen)


def test_cloudtrail_records_that_a_pipe_made_a_call_by_its_role_wherever_the_block_runs(tmp_path: Path) -> None:
    with Server.start("--isolate", "--data", str(tmp_path)) as server:
        cloud = PipesCloud(Aws(server.endpoint, fresh_account()))
        cloud.aws.client("logs").create_log_group(logGroupName="g")
        cloud.pipe(f"arn:aws:logs:us-east-1:{cloud.account}:log-group:g")
        cloud.send("hi")
        trail = cloud.aws.client("cloudtrail")
        by = [{"AttributeKey": "EventName", "AttributeValue": "CreateLogStream"}]
        (event,) = eventually(lambda: trail.lookup_events(LookupAttributes=by)["Events"])
        record = json.loads(event["CloudTrailEvent"])
        assert record["userIdentity"]["invokedBy"] == record["sourceIPAddress"] == "pipes.amazonaws.com"
        assert record["userIdentity"]["arn"].endswith(":assumed-role/r/p")
