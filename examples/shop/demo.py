"""Open the shop, let customers order, break it, repair it, and check that every order was handled.

Runs against whatever AWS the environment names (AWS_ENDPOINT_URL, AWS_DEFAULT_REGION, credentials or a profile).
Leaves all that it has deployed in place; `python deploy.py --clean-up` deletes it. The clock of a Cloudlet is moved on
by some minutes.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

import boto3
import browser
import cloudlet_here
import load
import outage
import voices
from browser import Browser
from customer import Customer, fetch
from deploy import Shop
from eyes import Eyes
from fleet import Fleet
from issuer import Issuer
from outcome import (
    BOOKS,
    FOR_THE_LAST_PIECE,
    FROM_A_BROWSER,
    ORDERS,
    ORDERS_IN_THE_OUTAGE,
    POISONED,
    RUN,
    due,
    handled,
    mistakes,
)
from partner import Partner
from shop import gallery, names, queues, tables, topic
from shop.order import Order
from waiting import DEADLINE_SECONDS, wait

AUDIENCE = "shop"
"""Whom the tokens of customers are for."""
CURRENCIES = "EUR:2 USD:2"
UNSTEADY = "4"
"""Every so many reports the service `orders` fails one."""
CURRENCIES_REPAIRED = "EUR:2 USD:2 JPY:0"
ENOUGH_VISITS = 10
WORKERS = ("payments", "inventory", "email")
CURIOUS = """
import sys, boto3
dynamodb = boto3.client("dynamodb")
try:
    dynamodb.get_item(TableName="shop-orders", Key={"id": {"S": sys.argv[1]}})
except dynamodb.exceptions.ClientError as error:
    print(error.response["ResponseMetadata"]["RequestId"])
"""
"""Looks into the table of the orders; prints the id of the request where that is denied."""


class Demo:
    """One run. `running` ends what the demo has started."""

    def __init__(self, running: ExitStack) -> None:
        self.running = running
        self.shop, self.fleet = Shop(), Fleet()
        self.sns, self.sqs, self.dynamodb = boto3.client("sns"), boto3.client("sqs"), tables.client()
        self.cloudlet = cloudlet_here.find()
        self.is_near = urlsplit(self.sns.meta.endpoint_url).hostname in ("localhost", "127.0.0.1")
        """Whether AWS can reach what listens on this machine."""
        self.eyes = Eyes(self.cloudlet)
        self.partner: Partner | None = None
        self.taken: list[Order] = []
        """The orders that customers had confirmed."""

    def run(self) -> list[str]:
        """Return what went wrong."""
        issuer = Issuer(self.running) if self.is_near else None
        with self.eyes.on_the_deployment():
            told = {"Issuer": issuer.url} if issuer else {}
            doors = self.shop.deploy(Currencies=CURRENCIES, Unsteady=UNSTEADY, **told)
        print("\nThe services run, each in a container of its own, and find each other by their names")
        print("  " + ", ".join(f"{count} {name}" for name, count in sorted(self.fleet.running().items())))
        voices.listen(self.running, self.shop.account, is_aws=self.cloudlet is None)
        self.front = f"https://{doors['Domain']}"
        self.customer = Customer(self.front)
        self.look_at_the_front(doors["Front"])
        self.subscribe_partner()
        self.look_at_the_catalogue()
        self.take_orders()
        self.sell_the_last_piece()
        self.take_an_order_from_a_browser(doors.get("Door"), issuer)
        self.eyes.follow(self.taken[-1])
        self.let_email_be_curious()
        self.take_orders_while_sqs_is_down()
        self.eyes.wait_for_the_alarm("ALARM")
        self.repair()
        self.wait_for_empty_queues()
        self.eyes.count_retries()
        self.eyes.wait_for_the_alarm("OK")
        self.eyes.show_the_dashboard()
        self.look_at_the_orders()
        left = {product["item"]: product["stock"] for product in self.customer.catalogue()}
        return mistakes(self.dynamodb, self.handled, self.listeners, self.taken, left)

    @property
    def listeners(self) -> list[str]:
        """The subscribers of an order's topic."""
        return [*BOOKS, *(["partner"] if self.partner else [])]

    def handled(self, service: str) -> set[str]:
        """Return the ids of the orders that a service has handled."""
        if service == "partner":
            return set(self.partner.parcels) if self.partner else set()
        return handled(self.dynamodb, service)

    def look_at_the_front(self, balancer: str) -> None:
        """Find the way to it, and follow it from HTTP to HTTPS."""
        print("\nCustomers come by TLS")
        began = self.front.replace("https", "http")
        if self.cloudlet is not None:
            cloudlet_here.lead(began, balancer)
        with urllib.request.urlopen(f"{began}/health", timeout=DEADLINE_SECONDS) as answer:
            if not answer.url.startswith("https:"):
                raise SystemExit(f"{began} does not lead to HTTPS.")
            print(f"  {began}/health leads to {answer.url}, whose certificate is verified")

    def subscribe_partner(self) -> None:
        print("\nA partner, who carries the parcels, is told of them over HTTP")
        if not self.is_near:
            print("  left out: its server is on this machine, where this SNS cannot reach it")
            return
        topic_arn = topic.arn(self.sns, self.shop.account)
        self.partner = Partner(self.running, topic_arn)
        subscription = topic.subscribe_partner(self.sns, topic_arn, self.partner.url)
        self.running.callback(self.sns.unsubscribe, SubscriptionArn=subscription)

        def confirmed() -> bool:
            attributes = self.sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]
            return bool(attributes["PendingConfirmation"] == "false")

        wait("the partner to confirm", confirmed)
        print("  (somebody else pretends to be SNS)")
        forge(self.partner.url, topic_arn)

    def look_at_the_catalogue(self) -> None:
        print("\nA customer looks at the catalogue, once it has its thumbnails")
        for product in self.customer.catalogue():
            item, stock = product["item"], product["stock"]
            wait(f"the thumbnail of a {item}", partial(is_thumbnail, product["thumbnail"], item))
            prices = ", ".join(f"{price} {currency}" for currency, price in product["prices"].items())
            print(f"  {item:<10} {'as many as you like' if stock is None else f'{stock} left':<20} {prices}")

    def take_orders(self) -> None:
        print("\nCustomers order; payments cannot charge in yen")
        for order in ORDERS:
            self.place(order)
        print("  (ada is not sure that her first order has arrived, and sends it again)")
        self.customer.place(ORDERS[0])
        self.wait_for(order for order in ORDERS if order != POISONED)
        letters = queues.url(self.sqs, names.DEAD_LETTERS)
        wait("the yen order in the dead letters", lambda: POISONED in dead_letters(self.sqs, letters))
        wait("its other parts", lambda: self.waits_for(POISONED) == ["payments"])
        print(f"\n{POISONED.id} is now in {names.DEAD_LETTERS}; all other orders are complete")

    def sell_the_last_piece(self) -> None:
        print("\nTwo customers order the last globe at the same time")
        before = len(self.taken)
        with ThreadPoolExecutor(len(FOR_THE_LAST_PIECE)) as customers:
            list(customers.map(self.place, FOR_THE_LAST_PIECE))
        sold = self.taken[before:]
        if len(sold) != 1:
            raise SystemExit(f"The last globe was sold {len(sold)} times.")
        print(f"  {sold[0].customer} has it")
        self.wait_for(sold)

    def take_an_order_from_a_browser(self, door: str | None, issuer: Issuer | None) -> None:
        order = FROM_A_BROWSER
        print("\nA customer signs in and orders from the browser, which hears live what becomes of it")
        if door is None or issuer is None:
            print("  left out: the identity provider is on this machine, where AWS cannot reach it")
            self.place(order)
            return
        if Browser(door, None).may_order(order) or Browser(door, issuer.token("mallory", "bank")).may_order(order):
            raise SystemExit("Who has not signed in could order.")
        print("  (without a token, and with one that is for somebody else, nobody gets in)")
        signed_in = Browser(door, issuer.token(order.customer, AUDIENCE))
        ticket = signed_in.ticket()
        with browser.listening(ticket) as socket:
            self.check(order, signed_in.order(order))
            for waits_for in browser.states(socket, order):
                print(f"  {'browser':<10} {order.id} {state_of(waits_for)}")
        if not browser.is_refused(ticket):
            raise SystemExit("A ticket was good for twice.")
        self.wait_for([order])
        if signed_in.orders()[-1]["order"] != order.id:
            raise SystemExit(f"{order.id} is not among the customer's orders.")

    def let_email_be_curious(self) -> None:
        print("\nSomebody has got into the containers of email, and looks into the table of the orders")
        if "SHOP_RECORDED" in os.environ:
            print("  left out: what the services need is being recorded")
            return
        request_id = self.fleet.run_instead("email", "python3", "-c", CURIOUS, self.taken[0].id).strip()
        if not request_id:
            print("  and can: permissions are not enforced here, but with `cloudlet up --auth strict`")
            return
        print("  and is denied")
        if self.cloudlet is not None:
            print(f"  $ cloudlet why {request_id}")
            for line in self.cloudlet.run("why", request_id).splitlines():
                print(f"  {line}")

    def take_orders_while_sqs_is_down(self) -> None:
        sqs = outage.of_isolated("sqs", self.cloudlet)
        if sqs is None:
            print("\nMore orders (SQS stays up: only in a `cloudlet up --isolate` can the demo take it away)")
            for order in ORDERS_IN_THE_OUTAGE:
                self.place(order)
        else:
            self.kill(sqs)
            print("\nSQS is stopped; customers go on ordering")
            with sqs.stopped():
                before = [self.handled(name) for name in WORKERS]
                for order in ORDERS_IN_THE_OUTAGE:
                    began = time.monotonic()
                    self.place(order)
                    print(f"  {order.id} is taken, in {milliseconds_since(began)}")
                if [self.handled(name) for name in WORKERS] != before:
                    raise SystemExit("An order has come through a queue that is not there.")
            print("\nSQS is back")
        self.wait_for(order for order in self.taken if order != POISONED)

    def kill(self, sqs: outage.Block) -> None:
        killed = sqs.process
        print(f"\nThe process of SQS, {killed}, is killed")
        sqs.kill()
        began = time.monotonic()
        self.sqs.list_queues()
        print(f"  it answers again after {milliseconds_since(began)}, as process {sqs.process}")
        if sqs.process == killed:
            raise SystemExit("The process of SQS has survived.")

    def repair(self) -> None:
        print("\nThe shop is renewed: payments learns yen, and for a minute a tenth of the customers try the new front")
        version = str(1 + int(self.shop.parameters()["Version"]))
        with load.visiting(f"{self.front}/catalogue") as visits:
            self.shop.begin_change(Currencies=CURRENCIES_REPAIRED, Version=version)
            wait("the new front to answer", lambda: visits.answers[version] >= ENOUGH_VISITS)
            print(f"  while it is tried: {told(visits.answers)}")
            while self.cloudlet is not None and self.shop.is_changing():
                self.cloudlet.run("clock", "advance", "1m")
                time.sleep(1)
            self.shop.finish()
        print(f"  at the end: {told(visits.answers)}; failed: {len(visits.errors)}")
        if visits.errors:
            raise SystemExit(f"Customers were not answered: {visits.errors[0]}")
        print("\nThe dead letters go back to the queue of payments")
        letters = queues.arn(self.sqs, names.DEAD_LETTERS)
        print(f"  messages moved: {redrive(self.sqs, letters)}")
        self.wait_for(self.taken)

    def look_at_the_orders(self) -> None:
        print("\nThe customers look at their orders")
        for customer in sorted({order.customer for order in self.taken}):
            for row in self.customer.orders(customer):
                if row["order"].startswith(f"{RUN}-"):
                    what, cost = f"{row['quantity']} {row['item']}", f"{row['price']:>8} {row['currency']}"
                    print(f"  {customer:<10} {row['order']:<8} {what:<11} {cost}  {state_of(row['waits_for'])}")

    def counted(self) -> Iterator[str]:
        """Say what became of this run's orders, once nothing went wrong."""
        done = {"payments": "charged", "inventory": "packed", "email": "thanked for", "partner": "carried"}
        counts = [f"{len(self.handled(name))} {done[name]}" for name in self.listeners if name in done]
        yield f"{len(self.taken)} orders were taken: {', '.join(counts)}, each once, by those alone whom it concerns"
        yield "the last globe was sold once, and the stock is what was not sold"

    def place(self, order: Order) -> None:
        confirmation = self.customer.place(order)
        if confirmation is not None:
            self.check(order, confirmation)

    def check(self, order: Order, confirmation: dict[str, Any]) -> None:
        """Look whether a confirmation has the right price, and a picture of what was ordered; the order is taken."""
        if confirmation["price"] != order.price:
            raise SystemExit(f"{order.id} costs {confirmation['price']}, not {order.price}.")
        if fetch(confirmation["picture"]) != gallery.draw(order.item):
            raise SystemExit(f"{order.id} was confirmed with something that is no picture of a {order.item}.")
        self.taken.append(order)

    def waits_for(self, order: Order) -> list[str]:
        [waits_for] = [row["waits_for"] for row in self.customer.orders(order.customer) if row["order"] == order.id]
        return list(waits_for)

    def wait_for(self, orders: Iterable[Order]) -> None:
        """Return once all have handled those of the orders that are for them."""
        placed = list(orders)

        def all_handled() -> bool:
            return all(due(name, placed) <= self.handled(name) for name in self.listeners)

        wait("the orders to be complete", all_handled)

    def wait_for_empty_queues(self) -> None:
        """A message is deleted after it was handled: who leaves in between finds it again next time."""
        kinds = (names.queue, names.dead_letters)
        all_queues = [kind(service) for service in (*WORKERS, "on-call") for kind in kinds]
        wait("the queues to be empty", lambda: all(is_empty(self.sqs, each) for each in all_queues))


def told(answers: Counter[str]) -> str:
    return ", ".join(f"{count} answers of version {version}" for version, count in sorted(answers.items()))


def state_of(waits_for: list[str]) -> str:
    return f"waits for {', '.join(waits_for)}" if waits_for else "complete"


def is_thumbnail(url: str, item: str) -> bool:
    """Whether the thumbnail of an item is under a URL by now."""
    try:
        return fetch(url) == gallery.shrink(gallery.draw(item))
    except HTTPError as missing:
        missing.close()
        return False


def forge(partner: str, topic_arn: str) -> None:
    """Tell the partner of a parcel as SNS would, but for the signature; give up on the demo if it is believed."""
    message = {
        "Type": "Notification",
        "MessageId": "00000000-0000-0000-0000-000000000000",
        "TopicArn": topic_arn,
        "Message": Order("forged", "mallory", "desk", 9, "EUR", price="0").to_json(),
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


def main() -> int:
    with ExitStack() as running:
        demo = Demo(running)
        wrong = demo.run()
        print("\nThe outcome")
        for line in wrong or demo.counted():
            print(f"  {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
