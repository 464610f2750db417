"""What the demo sees of the shop through AWS: who has changed it, an order's way, the alarm, and the dashboard."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import audit
import boto3
import journey
from botocore.exceptions import ClientError
from cloudlet_here import Cloudlet
from outcome import calls
from processes import wait
from shop import alarm, dashboard, order_book, queues
from shop.order import Order

LAST_OF_ALL = "PutDashboard"
"""The last call of a deployment."""
MOST_MINUTES = 5
"""So long an alarm may take."""
PATIENCE_SECONDS = 2
"""So long, by our own clock, we wait for what is due by that of AWS."""


class Eyes:
    """`cloudlet` is what the demo runs against, None for AWS; `data` is the folder of the services' books."""

    def __init__(self, cloudlet: Cloudlet | None, data: str) -> None:
        self._cloudlet = cloudlet
        self._data = data

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

        def recorded() -> list[dict[str, Any]]:
            events = audit.changes(cloudtrail, began)
            return events if any(event["EventName"] == LAST_OF_ALL for event in events) else []

        for line in audit.told(wait("the audit trail", recorded)):
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

    def peek(self, credentials: dict[str, str], order: Order) -> str | None:
        """Read an order with a role's credentials; return the id of the request where that is denied."""
        own = {name.lower(): value for name, value in credentials.items()}
        dynamodb = boto3.Session(**own).client("dynamodb")
        try:
            dynamodb.get_item(TableName=order_book.TABLE, Key={"id": {"S": order.id}})
        except dynamodb.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != "AccessDeniedException":
                raise
            return str(error.response["ResponseMetadata"]["RequestId"])
        return None

    def wait_for_the_alarm(self, state: str) -> None:
        """Move the clock on until who is on call has heard of a state: SQS measures, and alarms look, by the minute."""
        print(f"\nThe alarm on {queues.dead_letters_name('payments')} goes to {state}")
        if self._cloudlet is None:
            print("  not waited for: the clock of AWS cannot be moved")
            return
        for _ in range(MOST_MINUTES):
            self._cloudlet.run("clock", "advance", "1m")
            until = time.monotonic() + PATIENCE_SECONDS
            while time.monotonic() < until:
                if calls(self._data)[-1:] == [(alarm.NAME, state)]:
                    return
                time.sleep(0.05)
        raise SystemExit(f"Nobody was called: the alarm is not {state}.")

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
