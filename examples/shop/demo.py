"""Open the shop, let customers order, break it, repair it, and check that every order was handled.

Runs against whatever AWS the environment names (AWS_ENDPOINT_URL, AWS_DEFAULT_REGION, credentials or a profile).
Leaves the queues in place; `python demo.py --clean-up` deletes them.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Thread
from typing import Any

import boto3
from shop import queues
from shop.order import Order

DEADLINE_SECONDS = 60
HERE = Path(__file__).parent
ENTRIES = {"payments": "charges", "inventory": "reservations", "email": "letters"}
"""In each service's books, the table that has a row for each order."""

RUN = secrets.token_hex(2)
"""Tells this run's orders from those of earlier ones, which the queues remember for five minutes."""

ORDERS = [
    Order(f"{RUN}-1", "ada", "desk", 1, "499.00", "EUR"),
    Order(f"{RUN}-2", "grace", "lamp", 2, "59.80", "USD"),
    Order(f"{RUN}-3", "ada", "chair", 4, "516.00", "EUR"),
    Order(f"{RUN}-4", "hideo", "lamp", 1, "29.90", "USD"),
    Order(f"{RUN}-5", "hideo", "chair", 2, "41000", "JPY"),
    Order(f"{RUN}-6", "grace", "desk", 1, "499.00", "USD"),
    Order(f"{RUN}-7", "hideo", "desk", 1, "545.00", "USD"),
    Order(f"{RUN}-8", "ada", "lamp", 2, "59.80", "EUR"),
]
POISONED = ORDERS[4]
CURRENCIES_REPAIRED = "EUR:2 USD:2 JPY:0"


class Service:
    """A service in a process of its own. Its first line says that it is ready; all are printed behind its name."""

    def __init__(self, name: str, data: str, **settings: str) -> None:
        self.name = name
        self.greeting = ""
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-m", f"shop.{name}"],
            cwd=HERE,
            env={**os.environ, "SHOP_DATA": data, **settings},
            stdout=subprocess.PIPE,
            text=True,
        )
        Thread(target=self._relay, daemon=True).start()

    def ready(self) -> bool:
        if self._process.poll() is not None:
            raise SystemExit(f"{self.name} has died")
        return bool(self.greeting)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def _relay(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.greeting = self.greeting or line.strip()
            print(f"  {self.name:<10} {line}", end="", flush=True)


def wait(what: str, condition: Callable[[], bool]) -> None:
    """Return once `condition` holds; give up on the whole demo where that takes too long."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"Gave up after {DEADLINE_SECONDS} seconds waiting for {what}.")
        time.sleep(0.02)


def place(shop: str, order: Order) -> None:
    """Order over the shop's HTTP API."""
    document = {name: value for name, value in vars(order).items() if name != "id"}
    request = urllib.request.Request(f"{shop}/orders/{order.id}", json.dumps(document).encode(), method="PUT")
    with urllib.request.urlopen(request, timeout=DEADLINE_SECONDS):
        pass


def ask(data: str, service: str, query: str) -> list[Any]:
    """Look into a service's books, as only its owner or an auditor may."""
    with closing(sqlite3.connect(f"file:{data}/{service}.sqlite?mode=ro", uri=True)) as books:
        return books.execute(query).fetchall()


def handled(data: str, service: str) -> list[str]:
    """Return the ids of this run's orders that a service has handled, in the order it did."""
    rows = ask(data, service, f"SELECT order_id FROM {ENTRIES[service]} ORDER BY position")
    return [order_id for (order_id,) in rows if order_id.startswith(f"{RUN}-")]


def dead_letters(sqs: Any, queue_url: str) -> list[Order]:
    """Return what is in a dead-letter queue, and leave it there."""
    answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, VisibilityTimeout=0, WaitTimeSeconds=1)
    return [Order.from_json(message["Body"]) for message in answer.get("Messages", [])]


def is_empty(sqs: Any, name: str) -> bool:
    """Whether a queue holds nothing, not even what was received and not yet deleted."""
    kinds = ("", "NotVisible", "Delayed")
    names = [f"ApproximateNumberOfMessages{kind}" for kind in kinds]
    answer = sqs.get_queue_attributes(QueueUrl=queues.url(sqs, name), AttributeNames=names)
    return all(count == "0" for count in answer["Attributes"].values())


def redrive(sqs: Any, queue_url: str) -> int:
    """Move all messages of a dead-letter queue back to where they came from; return their number."""
    source = queues.arn(sqs, queue_url)
    sqs.start_message_move_task(SourceArn=source)

    def latest() -> dict[str, Any]:
        return dict(sqs.list_message_move_tasks(SourceArn=source)["Results"][0])

    wait("the redrive", lambda: latest()["Status"] == "COMPLETED")
    return int(latest()["ApproximateNumberOfMessagesMoved"])


def expected(service: str, customer: str) -> list[str]:
    """Return the ids of a customer's orders in the order in which a service should have handled them."""
    ids = [order.id for order in ORDERS if order.customer == customer]
    if service == "payments" and POISONED.id in ids:
        ids.remove(POISONED.id)
        ids.append(POISONED.id)
    return ids


def mistakes(data: str) -> list[str]:
    """Say what went otherwise than it should have."""
    found = []
    for service in queues.SERVICES:
        done = handled(data, service)
        if sorted(done) != sorted(order.id for order in ORDERS):
            found.append(f"{service} should have handled each order once, but handled {done}")
        for customer in sorted({order.customer for order in ORDERS}):
            due = expected(service, customer)
            if [order_id for order_id in done if order_id in due] != due:
                found.append(f"{service} should have handled {customer}'s orders as {due}, but handled {done}")
    for item, left in ask(data, "inventory", "SELECT item, quantity FROM stock"):
        ordered = sum(order.quantity for order in ORDERS if order.item == item)
        if left != 100 - ordered:
            found.append(f"{left} of 100 {item} are left after {ordered} were ordered")
    [[yen]] = ask(data, "payments", "SELECT sum(amount) FROM charges WHERE currency = 'JPY'")
    if yen != int(POISONED.price):
        found.append(f"charged {yen} yen, not {POISONED.price}")
    return found


def run(sqs: Any, data: str, running: ExitStack) -> None:
    def start(name: str, **settings: str) -> Service:
        service = Service(name, data, **settings)
        running.callback(service.stop)
        wait(f"{name} to start", service.ready)
        return service

    print(f"\nThe queues, at {sqs.meta.endpoint_url}")
    for service in queues.SERVICES:
        queues.create(sqs, service)
        print(f"  {queues.name(service)}, and {queues.dead_letters_name(service)} for what it cannot handle")

    print("\nThe services start, each in its own process")
    payments = start("payments")
    for name in queues.SERVICES[1:]:
        start(name)
    shop = start("orders", SHOP_PORT="0").greeting

    print("\nCustomers order; payments cannot charge in yen")
    for order in ORDERS:
        place(shop, order)
    print("  (ada is not sure that her first order has arrived, and sends it again)")
    place(shop, ORDERS[0])

    def all_but_poisoned() -> bool:
        counts = [len(handled(data, service)) for service in queues.SERVICES]
        return counts == [len(ORDERS) - 1, len(ORDERS), len(ORDERS)]

    wait("the orders to be handled", all_but_poisoned)
    letters = queues.url(sqs, queues.dead_letters_name("payments"))
    wait("the yen order in the dead letters", lambda: POISONED in dead_letters(sqs, letters))
    print(f"\n{POISONED.id} is now in {queues.dead_letters_name('payments')}; all other orders were handled")

    print("\nPayments learns yen and is started anew; the dead letters go back to its queue")
    payments.stop()
    start("payments", SHOP_CURRENCIES=CURRENCIES_REPAIRED)
    print(f"  messages moved: {redrive(sqs, letters)}")
    wait("the redriven order to be charged", lambda: POISONED.id in handled(data, "payments"))
    # A message is deleted after it was handled: who leaves in between finds it again next time.
    wait("the queues to be empty", lambda: all(is_empty(sqs, queues.name(service)) for service in queues.SERVICES))


def clean_up(sqs: Any) -> None:
    for service in queues.SERVICES:
        for queue in (queues.name(service), queues.dead_letters_name(service)):
            sqs.delete_queue(QueueUrl=queues.url(sqs, queue))


def main() -> int:
    sqs = boto3.client("sqs")
    if sys.argv[1:] == ["--clean-up"]:
        clean_up(sqs)
        return 0
    with tempfile.TemporaryDirectory(prefix="shop-") as data:
        with ExitStack() as running:
            run(sqs, data, running)
        print("\nThe outcome")
        wrong = mistakes(data)
    for line in wrong or ["each order charged, reserved and thanked for once; each customer's in the order placed,"]:
        print(f"  {line}")
    if not wrong:
        print(f"  but for {POISONED.id}, charged last, after its redrive")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
