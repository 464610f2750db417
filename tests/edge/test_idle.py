"""A Cloudlet that nobody asks anything does nothing."""

from __future__ import annotations

import os
import time
from pathlib import Path

from cloudlet.testing.server import Aws, Server, fresh_account

LOOKED_AT_SECONDS = 2.0
MOST_BUSY = 0.2


def busy_seconds(process: int) -> float:
    """Return the processor time that a process has taken."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_all_blocks_that_were_used_are_idle_afterwards() -> None:
    """A job that never has to wait would spin, and keep all others from being served."""
    with Server.start("--ephemeral") as server:
        aws = Aws(server.endpoint, fresh_account())
        url = aws.client("sqs").create_queue(QueueName="q")["QueueUrl"]
        aws.client("sqs").send_message(QueueUrl=url, MessageBody="m")
        aws.client("sns").create_topic(Name="t")
        aws.client("s3").create_bucket(Bucket=f"bucket-{aws.account}")
        aws.client("dynamodb").list_tables()
        aws.client("cloudwatch").list_metrics()
        aws.client("events").put_events(Entries=[{"Source": "s", "DetailType": "d", "Detail": "{}"}])
        aws.client("logs").create_log_group(logGroupName="g")
        aws.client("xray").get_groups()
        aws.client("cloudtrail").describe_trails()
        aws.client("scheduler").list_schedules()
        aws.client("pipes").list_pipes()
        aws.client("lambda").list_functions()
        aws.client("apigatewayv2").get_apis()
        process = server.process.pid
        # What was asked is still worked off for a moment: the quietest of some stretches counts.
        quietest = LOOKED_AT_SECONDS
        for _ in range(5):
            before = busy_seconds(process)
            time.sleep(LOOKED_AT_SECONDS)
            quietest = min(quietest, busy_seconds(process) - before)
            if quietest < MOST_BUSY:
                return
        raise AssertionError(f"{quietest:.2f} s of processor time in {LOOKED_AT_SECONDS} s")
