"""Open the shop, let customers order, break it, repair it, and check that every order was handled.

Runs against whatever AWS the environment names (AWS_ENDPOINT_URL, AWS_DEFAULT_REGION, credentials or a profile).
Leaves the topic and the queues in place; `python demo.py --clean-up` deletes them.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

import boto3
import outage
from outcome import ALL, ORDERS, ORDERS_IN_THE_OUTAGE, POISONED, due, handled, mistakes
from processes import DEADLINE_SECONDS, Service, wait
from shop import queues, topic
from shop.order import Order

CURRENCIES_REPAIRED = "EUR:2 USD:2 JPY:0"


class Demo:
    """One run. `data` is the folder of the services' books; `running` ends what the demo has started."""

    def __init__(self, data: str, running: ExitStack) -> None:
        self.data = data
        self.running = running
        self.sns = boto3.client("sns")
        self.sqs = boto3.client("sqs")
        self.topic_arn = topic.create(self.sns)
        self.listeners: list[str] = []
        """Who is to hear of the orders."""

    def run(self) -> None:
        self.subscribe_queues()
        print("\nThe services start, each in its own process")
        payments = self.start("payments")
        self.start("inventory")
        self.start("email")
        shop = self.start("orders", SHOP_PORT="0").greeting
        self.subscribe_partner()
        self.take_orders(shop)
        self.take_orders_while_sqs_is_down(shop)
        self.repair(payments)
        self.wait_for_empty_queues()

    def start(self, name: str, **settings: str) -> Service:
        service = Service(name, self.data, **settings)
        self.running.callback(service.stop)
        wait(f"{name} to start", service.ready)
        return service

    def subscribe_queues(self) -> None:
        print(f"\nThe topic {topic.NAME}, at {self.sns.meta.endpoint_url}, and which orders go where")
        for service in queues.SERVICES:
            queue_arn = queues.create(self.sqs, service, self.topic_arn)
            topic.subscribe_queue(self.sns, self.topic_arn, service, queue_arn)
            self.listeners.append(service)
            print(f"  {queues.name(service):<15} {topic.FILTERS[service]['FilterPolicy']}")

    def subscribe_partner(self) -> None:
        print("\nA partner, who carries the parcels, is told of them over HTTP")
        if urlsplit(self.sns.meta.endpoint_url).hostname not in ("localhost", "127.0.0.1"):
            print("  left out: its server is on this machine, where this SNS cannot reach it")
            return
        partner = self.start("partner", PARTNER_PORT="0", SHOP_TOPIC=self.topic_arn)
        subscription = topic.subscribe_partner(self.sns, self.topic_arn, partner.greeting)
        self.running.callback(self.sns.unsubscribe, SubscriptionArn=subscription)
        self.listeners.append("partner")

        def confirmed() -> bool:
            attributes = self.sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]
            return bool(attributes["PendingConfirmation"] == "false")

        wait("the partner to confirm", confirmed)
        print("  (somebody else pretends to be SNS)")
        forge(partner.greeting, self.topic_arn)

    def take_orders(self, shop: str) -> None:
        print("\nCustomers order; payments cannot charge in yen")
        for order in ORDERS:
            place(shop, order)
        print("  (ada is not sure that her first order has arrived, and sends it again)")
        place(shop, ORDERS[0])
        self.wait_for(order for order in ORDERS if order != POISONED)
        letters = queues.url(self.sqs, queues.dead_letters_name("payments"))
        wait("the yen order in the dead letters", lambda: POISONED in dead_letters(self.sqs, letters))
        print(f"\n{POISONED.id} is now in {queues.dead_letters_name('payments')}; all other orders were handled")

    def take_orders_while_sqs_is_down(self, shop: str) -> None:
        sqs = outage.of_isolated("sqs")
        if sqs is None:
            print("\nMore orders (SQS stays up: only in a `cloudlet up --isolate` can the demo take it away)")
            for order in ORDERS_IN_THE_OUTAGE:
                place(shop, order)
        else:
            self.kill(sqs)
            print("\nSQS is stopped; customers go on ordering")
            with sqs.stopped():
                before = [handled(self.data, name) for name in queues.SERVICES]
                for order in ORDERS_IN_THE_OUTAGE:
                    began = time.monotonic()
                    place(shop, order)
                    print(f"  {order.id} is taken, in {milliseconds_since(began)}")
                if [handled(self.data, name) for name in queues.SERVICES] != before:
                    raise SystemExit("An order has come through a queue that is not there.")
            print("\nSQS is back")
        self.wait_for(order for order in ALL if order != POISONED)

    def kill(self, sqs: outage.Block) -> None:
        killed = sqs.process
        print(f"\nThe process of SQS, {killed}, is killed")
        sqs.kill()
        began = time.monotonic()
        self.sqs.list_queues()
        print(f"  it answers again after {milliseconds_since(began)}, as process {sqs.process}")
        if sqs.process == killed:
            raise SystemExit("The process of SQS has survived.")

    def repair(self, payments: Service) -> None:
        print("\nPayments learns yen and is started anew; the dead letters go back to its queue")
        payments.stop()
        self.start("payments", SHOP_CURRENCIES=CURRENCIES_REPAIRED)
        letters = queues.arn(self.topic_arn, queues.dead_letters_name("payments"))
        print(f"  messages moved: {redrive(self.sqs, letters)}")
        self.wait_for(ALL)

    def wait_for(self, orders: Iterable[Order]) -> None:
        """Return once all have handled those of the orders that are for them."""
        placed = list(orders)

        def all_handled() -> bool:
            return all(due(name, placed) <= set(handled(self.data, name)) for name in self.listeners)

        wait("the orders to be handled", all_handled)

    def wait_for_empty_queues(self) -> None:
        """A message is deleted after it was handled: who leaves in between finds it again next time."""
        kinds = (queues.name, queues.dead_letters_name)
        names = [kind(service) for service in queues.SERVICES for kind in kinds]
        wait("the queues to be empty", lambda: all(is_empty(self.sqs, name) for name in names))


def place(shop: str, order: Order) -> None:
    """Order over the shop's HTTP API."""
    document = {name: value for name, value in vars(order).items() if name != "id"}
    request = urllib.request.Request(f"{shop}/orders/{order.id}", json.dumps(document).encode(), method="PUT")
    with urllib.request.urlopen(request, timeout=DEADLINE_SECONDS):
        pass


def forge(partner: str, topic_arn: str) -> None:
    """Tell the partner of a parcel as SNS would, but for the signature; give up on the demo if it is believed."""
    message = {
        "Type": "Notification",
        "MessageId": "00000000-0000-0000-0000-000000000000",
        "TopicArn": topic_arn,
        "Message": Order("forged", "mallory", "desk", 9, "0", "EUR").to_json(),
        "Timestamp": "2030-01-01T00:00:00.000Z",
        "SignatureVersion": "2",
        "Signature": "Zm9yZ2Vk",
        "SigningCertURL": "https://sns.us-east-1.mallory.example/certificate.pem",
    }
    try:
        with urllib.request.urlopen(partner, json.dumps(message).encode(), timeout=DEADLINE_SECONDS):
            raise SystemExit("The partner believes what SNS has not signed.")
    except HTTPError as refusal:
        refusal.close()


def milliseconds_since(began: float) -> str:
    return f"{1000 * (time.monotonic() - began):.0f} ms"


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


def redrive(sqs: Any, queue_arn: str) -> int:
    """Move all messages of a dead-letter queue back to where they came from; return their number."""
    sqs.start_message_move_task(SourceArn=queue_arn)

    def latest() -> dict[str, Any]:
        return dict(sqs.list_message_move_tasks(SourceArn=queue_arn)["Results"][0])

    wait("the redrive", lambda: latest()["Status"] == "COMPLETED")
    return int(latest()["ApproximateNumberOfMessagesMoved"])


def clean_up() -> None:
    sns, sqs = boto3.client("sns"), boto3.client("sqs")
    # Its subscriptions go with it.
    sns.delete_topic(TopicArn=topic.create(sns))
    for service in queues.SERVICES:
        for queue in (queues.name(service), queues.dead_letters_name(service)):
            sqs.delete_queue(QueueUrl=queues.url(sqs, queue))


def main() -> int:
    if sys.argv[1:] == ["--clean-up"]:
        clean_up()
        return 0
    with tempfile.TemporaryDirectory(prefix="shop-") as data:
        with ExitStack() as running:
            demo = Demo(data, running)
            demo.run()
        print("\nThe outcome")
        wrong = mistakes(data, demo.listeners)
    for line in wrong or [
        "each order was charged, reserved, thanked for and carried once, by those alone whom it concerns"
    ]:
        print(f"  {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
