"""What the demo sees of the shop through AWS: who has changed it, an order's way, the alarm, and the dashboard."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import audit
import boto3
import journey
from botocore.exceptions import ClientError
from cloudlet_here import Cloudlet
from shop import dashboard, names, on_call, tables
from shop.order import Order
from waiting import wait

SETTLING_SECONDS = 0.5
MOST_MINUTES = 5
"""So long an alarm may take."""
PATIENCE_SECONDS = 2
"""So long, by our own clock, we wait for what is due by that of AWS."""


class Eyes:
    """`cloudlet` is what the demo runs against, None for AWS."""

    def __init__(self, cloudlet: Cloudlet | None) -> None:
        self._cloudlet = cloudlet

    @contextmanager
    def on_the_deployment(self) -> Iterator[None]:
        """Show what was changed in the `with` block."""
        began = self._cloudlet.now() if self._cloudlet else None
        yield
        print("\nWhat the deployment has changed, as CloudTrail has it")
        if began is None:
            print("  left out: on AWS, CloudTrail has it a quarter of an hour later")
            return
        cloudtrail = boto3.client("cloudtrail")

        seen: list[dict[str, Any]] = []

        def recorded() -> bool:
            """Whether nothing new has come for a while."""
            nonlocal seen
            before, seen = seen, audit.changes(cloudtrail, began)
            time.sleep(SETTLING_SECONDS)
            return 0 < len(before) == len(seen)

        wait("the audit trail", recorded)
        for line in audit.told(seen):
            print(f"  {line}")

    def follow(self, order: Order) -> None:
        """Show the way of an order that is complete."""
        print(f"\nThe way of {order.id}, as X-Ray has it: when after the beginning, and how long it took")
        xray = boto3.client("xray")

        def whole() -> list[journey.Segment]:
            found = journey.segments(xray, order.id)
            names = {segment["name"] for segment in found}
            return found if {"outbox", "progress", *order.todo} <= names and len(journey.roots(found)) == 1 else []

        for line in journey.drawn(wait("the trace", whole)):
            print(f"  {line}")

    def wait_for_the_alarm(self, state: str) -> None:
        """Move the clock on until who is on call has heard of a state: SQS measures, and alarms look, by the minute."""
        print(f"\nThe alarm on {names.DEAD_LETTERS} goes to {state}")
        if self._cloudlet is None:
            print("  not waited for: the clock of AWS cannot be moved")
            return
        dynamodb = tables.client()
        for _ in range(MOST_MINUTES):
            self._cloudlet.run("clock", "advance", "1m")
            until = time.monotonic() + PATIENCE_SECONDS
            while time.monotonic() < until:
                if on_call.latest(dynamodb, names.DEAD_LETTERS) == state:
                    return
                time.sleep(0.05)
        raise SystemExit(f"Nobody was called: the alarm is not {state}.")

    def count_retries(self) -> None:
        """Show how the Envoys of the mesh have brought the workers' reports to `orders`, by what they have logged."""
        print("\nWhat the workers have reported to orders through the mesh, as their Envoys tell it")
        if self._cloudlet is None:
            print("  left out: AWS has ended App Mesh")
            return
        pages = boto3.client("logs").get_paginator("filter_log_events")
        events = [
            event
            for page in pages.paginate(logGroupName=names.LOG, logStreamNamePrefix=names.MESH_LOGS)
            for event in page["events"]
        ]
        calls = [json.loads(event["message"]) for event in events if "attempts" in event["message"]]
        again = [call for call in calls if call["attempts"] > 1]
        failed = [call for call in calls if call["status"] != HTTPStatus.OK]
        print(f"  {len(calls)} reports, of which {len(again)} were tried again; failed: {len(failed)}")
        if failed or not again:
            raise SystemExit(f"The mesh has not tried again: {failed}")

    def show_the_dashboard(self) -> None:
        """Have the dashboard drawn into `$SHOP_PICTURES`, or a new folder."""
        print("\nThe dashboard, drawn by CloudWatch")
        folder = Path(os.environ.get("SHOP_PICTURES") or tempfile.mkdtemp(prefix="shop-dashboard-"))
        try:
            for number, (title, png) in enumerate(dashboard.pictures(boto3.client("cloudwatch")), start=1):
                path = folder / f"{number}.png"
                path.write_bytes(png)
                print(f"  {path}  {title}")
        except ClientError as error:
            if error.response["Error"]["Code"] != "NotImplemented":
                raise
            print(f"  left out: {error}")
