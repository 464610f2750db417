"""Lines that the shop's services print, followed by Live Tail of Amazon CloudWatch Logs."""

from __future__ import annotations

from contextlib import ExitStack
from threading import Thread
from typing import Any

import boto3
from botocore.config import Config
from shop import names

PREFIX = "services/"
"""Streams of services are `services/NAME/TASK`."""


def listen(running: ExitStack, account: str, *, is_aws: bool) -> None:
    """Print what services say, until `running` ends it."""
    # Of AWS this is another host; a Cloudlet has one.
    logs = boto3.client("logs", config=Config(inject_host_prefix=None if is_aws else False, read_timeout=None))
    group = f"arn:aws:logs:{logs.meta.region_name}:{account}:log-group:{names.LOG}"
    tail = logs.start_live_tail(logGroupIdentifiers=[group], logStreamNamePrefixes=[PREFIX])["responseStream"]
    Thread(target=_print, args=(tail,), daemon=True).start()
    running.callback(tail.close)


def _print(tail: Any) -> None:
    try:
        for event in tail:
            for said in event.get("sessionUpdate", {}).get("sessionResults", ()):
                service = said["logStreamName"].split("/")[1]
                print(f"  {service:<10} {said['message']}", flush=True)
    except (OSError, ValueError, AttributeError):
        pass  # The demo has ended.
