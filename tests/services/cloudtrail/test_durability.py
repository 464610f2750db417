"""Events outlive a crash, and CloudTrail's absence."""

from __future__ import annotations

import gzip
import json
import secrets
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.commands import cloudlet
from tests.services.cloudtrail.test_history import lookup
from tests.services.s3.own_work import keys
from tests.standing import eventually


@pytest.mark.parametrize("attempt", range(3))
def test_an_acknowledged_call_is_in_the_history_after_a_crash(tmp_path: Path, attempt: int) -> None:
    account = fresh_account()
    with Server.start("--data", str(tmp_path)) as server:
        aws = Aws(server.endpoint, account)
        aws.client("cloudtrail").lookup_events()
        aws.client("sqs").create_queue(QueueName=f"q{attempt}")
        server.kill()
    with Server.start("--data", str(tmp_path)) as server:
        aws = Aws(server.endpoint, account)
        # Blocks start with their first call.
        aws.client("sqs").list_queues()
        lookup(aws, 1, ResourceName=f"q{attempt}")


def test_calls_work_while_cloudtrail_is_down_and_their_events_come_later(tmp_path: Path) -> None:
    with Server.start("--isolate", "--data", str(tmp_path)) as server:
        aws = Aws(server.endpoint, fresh_account())
        aws.client("cloudtrail").lookup_events()
        assert cloudlet("block", "stop", "cloudtrail", "--port", server.port).returncode == 0
        for number in range(20):
            aws.client("sqs").create_queue(QueueName=f"q{number}")
        with pytest.raises(ClientError):
            aws.client("cloudtrail").lookup_events()
        assert cloudlet("block", "start", "cloudtrail", "--port", server.port).returncode == 0
        lookup(aws, 20, EventName="CreateQueue")


def test_what_waits_for_a_file_outlives_a_crash_and_comes_from_another_process(tmp_path: Path) -> None:
    account, name = fresh_account(), f"trail-{secrets.token_hex(8)}"
    with Server.start("--data", str(tmp_path)) as server:
        aws = Aws(server.endpoint, account)
        aws.client("s3").create_bucket(Bucket=name)
        aws.client("cloudtrail").create_trail(Name="audit", S3BucketName=name, EnableLogFileValidation=True)
        aws.client("cloudtrail").start_logging(Name="audit")
        aws.client("sqs").create_queue(QueueName="q")
        lookup(aws, 1, EventName="CreateQueue")
        server.kill()
    with Server.start("--isolate", "--data", str(tmp_path)) as server:
        aws = Aws(server.endpoint, account)
        s3, trails = aws.client("s3"), aws.client("cloudtrail")
        trails.get_trail(Name="audit")

        def delivered() -> list[str]:
            moved = cloudlet("clock", "advance", "1h", "--port", server.port)
            assert moved.returncode == 0, moved.stderr
            return keys(s3, name, "AWSLogs/")

        found = eventually(delivered, lambda seen: any("-Digest" in key for key in seen))
        log = next(key for key in found if "/CloudTrail/" in key)
        records = json.loads(gzip.decompress(s3.get_object(Bucket=name, Key=log)["Body"].read()))["Records"]
        assert "CreateQueue" in {record["eventName"] for record in records}
