"""The shop of examples/shop, as a user runs it: the demo in a process of its own, on a fresh account."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.commands import cloudlet
from tests.services.apigateway.endpoint import running as endpoint_running
from tests.services.apigateway.issuer import Issuer

SHOP = Path(__file__).parents[2] / "examples" / "shop"
SECONDS = 240

T = TypeVar("T")


def environment(aws: Aws) -> dict[str, str]:
    """The environment of somebody who has Cloudlet's command at hand."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    return {**os.environ, "PATH": path, **aws.environment}


def run(aws: Aws, program: str = "demo.py", *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, program, *arguments],
        cwd=SHOP,
        env=environment(aws) | more,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


ROOT = {"aws_access_key_id": "AKIASHOPSHOPSHOPSHOP", "aws_secret_access_key": "correct-horse-battery-staple"}
"""The keys of the root user, who deploys the shop where permissions are enforced."""
AS_ROOT = {name.upper(): value for name, value in ROOT.items()}


def test_every_order_is_handled_once_by_those_whom_it_concerns_who_may_do_no_more_than_they_need(
    tmp_path: Path,
) -> None:
    account = fresh_account()
    key = f"{account}:{':'.join(ROOT.values())}"
    with Server.start("--isolate", "--data", str(tmp_path / "data"), "--auth", "strict", "--root-key", key) as server:
        aws = Aws(server.endpoint, account)
        shop = run(aws, SHOP_PICTURES=str(tmp_path), **AS_ROOT)
        assert shop.returncode == 0, f"{shop.stdout[-3000:]}\n{shop.stderr[-3000:]}"
        for said in (
            "leads to https://shop.example:443/health, whose certificate is verified",
            "failed, try 3 of 3: cannot charge hideo in JPY",
            "messages moved: 1",
            "partner    refused",
            "front      refused: there are fewer than 1 globe left",
            "answers of version 2; failed: 0",
            "were tried again; failed: 0",
            "7 CreateService",
            "on-call    shop-payments-dead-letters is ALARM",
            "on-call    shop-payments-dead-letters is OK",
        ):
            assert said in shop.stdout, said
        assert "left out" not in shop.stdout
        way = shop.stdout.partition("The way of")[2].partition("\n\n")[0]
        for name in ("browser", "shop-checkout", "outbox", "shop-order-placed", "payments", "orders", "progress"):
            assert way.count(f" {name} ") >= 1, way
        assert [picture.read_bytes()[:4] for picture in sorted(tmp_path.glob("*.png"))] == [b"\x89PNG"] * 4

        killed, stopped, back = (
            shop.stdout.index(line) for line in ("it answers again after", "SQS is stopped", "SQS is back")
        )
        assert killed < stopped < back
        assert shop.stdout[stopped:back].count(" is taken, in ") == 3
        assert "cannot reach the queue, and keeps trying" in shop.stdout[stopped:]
        curious = shop.stdout.partition("Somebody has got into the containers of email")[2].partition("\n\n")[0]
        assert "cloudlet why" in curious
        assert "is not authorized to perform: dynamodb:GetItem" in curious
        assert "Missing: an Allow in the identity-based policy (" in curious
        # Nothing else was denied, but to be told that a thumbnail is not there yet.
        denied = cloudlet("why", "--port", server.port).stdout.splitlines()
        assert len([line for line in denied if "s3:ListBucket" not in line]) == 1

        # Without a signature nobody sees its pictures.
        assert status(f"{server.endpoint}/shop-pictures-{account}/pictures/desk.svg") == 403
        # The partner, whose server has gone, is not subscribed any more.
        subscriptions = aws.client("sns", **ROOT).list_subscriptions()["Subscriptions"]
        assert sorted(one["Protocol"] for one in subscriptions) == ["sqs", "sqs", "sqs", "sqs"]

        # When it opens again, nothing is deployed that is there already.
        opened = run(aws, "deploy.py", **AS_ROOT)
        assert opened.returncode == 0, opened.stderr
        [image] = [line for line in opened.stdout.splitlines() if line.startswith("  image ")]
        assert image in shop.stdout
        # A second time there is nothing left to delete.
        for _ in range(2):
            cleaning = run(aws, "deploy.py", "--clean-up", **AS_ROOT)
            assert cleaning.returncode == 0, cleaning.stderr
        assert_empty(aws)


def assert_empty(aws: Aws) -> None:
    """Check that nothing is left of a shop."""
    for service, operation, member in (
        ("sns", "list_topics", "Topics"),
        ("s3", "list_buckets", "Buckets"),
        ("dynamodb", "list_tables", "TableNames"),
        ("lambda", "list_functions", "Functions"),
        ("lambda", "list_event_source_mappings", "EventSourceMappings"),
        ("apigatewayv2", "get_apis", "Items"),
        ("cloudwatch", "describe_alarms", "MetricAlarms"),
        ("cloudwatch", "list_dashboards", "DashboardEntries"),
        ("logs", "describe_log_groups", "logGroups"),
        ("elbv2", "describe_load_balancers", "LoadBalancers"),
        ("cloudformation", "describe_stacks", "Stacks"),
        ("ecs", "list_clusters", "clusterArns"),
        ("ecr", "describe_repositories", "repositories"),
        ("acm", "list_certificates", "CertificateSummaryList"),
        ("route53", "list_hosted_zones", "HostedZones"),
        ("appmesh", "list_meshes", "meshes"),
    ):
        assert getattr(aws.client(service, **ROOT), operation)()[member] == [], operation
    assert aws.client("sqs", **ROOT).list_queues().get("QueueUrls", []) == []
    # As on AWS, the role of load balancers stays.
    roles = [role["RoleName"] for role in aws.client("iam", **ROOT).list_roles()["Roles"]]
    assert roles == ["AWSServiceRoleForElasticLoadBalancing"]
    assert len(aws.client("ec2", **ROOT).describe_vpcs()["Vpcs"]) == 1


@contextmanager
def endpoint() -> Iterator[tuple[str, Queue[dict[str, Any]]]]:
    """An HTTP endpoint, and what SNS has sent there."""
    heard: Queue[dict[str, Any]] = Queue()

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            heard.put(message)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Listener)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", heard
    finally:
        server.shutdown()
        server.server_close()


@dataclass(frozen=True)
class Service:
    """One of the shop's services, running, and what it says."""

    process: subprocess.Popen[str]
    said: Queue[str]

    def says(self) -> str:
        return self.said.get(timeout=SECONDS)


@contextmanager
def service(aws: Aws, *program: str, **settings: str) -> Iterator[Service]:
    process = subprocess.Popen(
        [sys.executable, "-u", *program],
        cwd=SHOP,
        env=environment(aws) | settings,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    said: Queue[str] = Queue()

    def listen() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            said.put(line.strip())

    listener = Thread(target=listen)
    listener.start()
    try:
        yield Service(process, said)
    finally:
        process.terminate()
        process.wait()
        listener.join()
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.close()
        process.stdin.close()


@contextmanager
def partner(aws: Aws, topic: str) -> Iterator[str]:
    """The URL of a partner who has agreed to hear from a topic."""
    with service(aws, "partner.py", topic) as running:
        yield running.says()


def deploy(aws: Aws, *parameters: str) -> None:
    """Open a shop without services."""
    deployed = run(aws, "deploy.py", "Tasks=0", *parameters)
    assert deployed.returncode == 0, deployed.stderr


@contextmanager
def running_orders(aws: Aws) -> Iterator[str]:
    """The URL of the orders of a shop that was deployed."""
    with service(aws, "-m", "shop.orders", SHOP_PORT="0") as running:
        yield running.says()


@dataclass(frozen=True)
class Opened:
    """A shop without services, for many tests: each has customers and orders of its own."""

    aws: Aws
    issuer: Issuer
    orders: str

    def restock(self) -> None:
        lamp = {"Key": {"item": "lamp"}, "UpdateExpression": "SET stock = :all"}
        self.aws.resource("dynamodb").Table("shop-catalogue").update_item(
            **lamp, ExpressionAttributeValues={":all": 100}
        )


@pytest.fixture(scope="module")
def opened(cloudlet_server: Server) -> Iterator[Opened]:
    with endpoint_running() as endpoint:
        aws, issuer = Aws(cloudlet_server.endpoint, fresh_account()), Issuer(endpoint, "customers")
        deploy(aws, f"Issuer={issuer.url}")
        with running_orders(aws) as orders:
            yield Opened(aws, issuer, orders)


@pytest.fixture
def orders(opened: Opened) -> str:
    """The URL of the service `orders` of a shop that has all its goods."""
    opened.restock()
    return opened.orders


def status(what: str | Request) -> int:
    try:
        with urlopen(what, timeout=SECONDS) as answer:
            return int(answer.status)
    except HTTPError as refusal:
        refusal.close()
        return refusal.code


def post(url: str, message: object) -> int:
    return status(Request(url, json.dumps(message).encode()))


def place(shop: str, order: str, wish: object) -> int:
    return status(Request(f"{shop}/orders/{order}", json.dumps(wish).encode(), method="PUT"))


def get(url: str) -> Any:
    with urlopen(url, timeout=SECONDS) as answer:
        return json.load(answer)


def eventually(look: Callable[[], T | None]) -> T:
    """The first thing seen that is true."""
    end = time.monotonic() + SECONDS
    while not (seen := look()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return seen


WISH = {"customer": "ada", "item": "lamp", "quantity": 10, "currency": "EUR"}


def test_no_more_is_sold_than_there_is_however_many_order_at_once(orders: str, opened: Opened) -> None:
    with ThreadPoolExecutor(12) as customers:
        wish = WISH | {"customer": "many"}

        def order(number: int) -> int:
            # As a customer does who is asked to order again.
            return eventually(lambda: answer if (answer := place(orders, f"many-{number}", wish)) != 503 else None)

        assert sorted(customers.map(order, range(12))) == [202] * 10 + [409] * 2
        assert {one["item"]: one["stock"] for one in get(f"{orders}/catalogue")}["lamp"] == 0
        mine = get(f"{orders}/customers/many/orders")
        assert len(mine) == 10
        assert all(one["waits_for"] == ["email", "inventory", "payments"] for one in mine)

        # Who has bought before it was sold out hears the same again.
        assert place(orders, mine[0]["order"], wish) == 202
        assert len(get(f"{orders}/customers/many/orders")) == 10


def test_the_shop_refuses_what_is_no_order(orders: str) -> None:
    assert place(orders, "1", WISH) == 202
    for wish, expected in (
        ([], 400),
        ("a lamp", 400),
        ({"customer": "ada"}, 400),
        (WISH | {"quantity": 0}, 400),
        (WISH | {"quantity": "1"}, 400),
        (WISH | {"price": "0.01"}, 400),
        (WISH | {"mail": "yes"}, 400),
        (WISH | {"item": "dragon"}, 404),
        (WISH | {"currency": "JPY"}, 404),
        (WISH | {"quantity": 1000}, 409),
    ):
        assert place(orders, "2", wish) == expected, wish
    assert place(orders, "1", WISH | {"quantity": 9}) == 409
    assert place(orders, "no%20name", WISH) == 400
    assert place(orders, "2/done", WISH) == 404
    assert place(orders, "2/done/payments", {}) == 404
    assert status(f"{orders}/orders") == 404

    assert place(orders, "1/done/payments", {}) == 200
    [order] = get(f"{orders}/customers/ada/orders")
    assert order == {
        "order": "1",
        "item": "lamp",
        "quantity": 10,
        "price": "299.00",
        "currency": "EUR",
        "waits_for": ["email", "inventory"],
    }


def test_the_outbox_publishes_each_order_though_it_dies_and_the_streams_shards_close() -> None:
    with Server.start("--ephemeral") as server:
        aws = Aws(server.endpoint, fresh_account())
        positions = aws.resource("dynamodb").Table("shop-outbox-positions")
        deploy(aws)
        with running_orders(aws) as shop:
            with service(aws, "-m", "shop.outbox") as outbox:
                assert outbox.says() == "ready"
                place(shop, "1", WISH)
                assert outbox.says() == "1: published"
                eventually(lambda: positions.scan()["Items"])
                outbox.process.kill()

            # Shards are closed after four hours, and iterators hold for a quarter of one.
            advance(server, "5h")
            place(shop, "2", WISH)
            with service(aws, "-m", "shop.outbox") as outbox:
                assert outbox.says() == "ready"
                assert outbox.says() == "2: published"

                advance(server, "5h")
                place(shop, "3", WISH)
                assert outbox.says() == "3: published"
                for name in ("payments", "inventory", "email"):
                    place(shop, f"3/done/{name}", {})
                assert outbox.says() == "3: complete"
                assert outbox.said.empty()


@dataclass(frozen=True)
class Door:
    """The shop's public API, as somebody who has signed in sees it; None is somebody who has not."""

    url: str
    token: str | None

    def ask(self, method: str, path: str, document: object) -> tuple[int, Any]:
        """Return the status, and what is answered."""
        signed_in = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        headers = {"Content-Type": "application/json"} | signed_in
        request = Request(self.url + path, json.dumps(document).encode(), headers, method=method)
        try:
            with urlopen(request, timeout=SECONDS) as answer:
                return int(answer.status), json.load(answer)
        except HTTPError as refusal:
            with refusal:
                return refusal.code, json.load(refusal)

    def order(self, order: str, wish: object) -> int:
        return self.ask("PUT", f"/orders/{order}", wish)[0]

    def live(self) -> ClientConnection:
        """Listen to what becomes of orders."""
        answered, ticket = self.ask("POST", "/tickets", {})
        assert answered == 201
        return connect(ticket["url"])


def hears(socket: ClientConnection) -> Any:
    return json.loads(socket.recv(timeout=SECONDS))


@pytest.fixture
def doors(opened: Opened) -> Callable[[str | None], Door]:
    """The public API of a shop that has all its goods, for each customer."""
    opened.restock()
    [api] = [api for api in opened.aws.client("apigatewayv2").get_apis()["Items"] if api["ProtocolType"] == "HTTP"]
    return lambda who: Door(api["ApiEndpoint"], who and opened.issuer.token(time.time(), sub=who))


LAMPS = {"item": "lamp", "quantity": 10, "currency": "EUR"}


def test_who_has_signed_in_orders_through_the_front_door(doors: Callable[[str | None], Door]) -> None:
    assert doors(None).order("door", LAMPS) == 401
    assert Door(doors(None).url, "no.to.ken").order("door", LAMPS) == 401
    carol = doors("carol")
    for wish, expected in (
        ([], 400),
        (LAMPS | {"customer": "dave"}, 400),
        (LAMPS | {"quantity": 0}, 400),
        (LAMPS | {"item": "dragon"}, 404),
        (LAMPS | {"quantity": 1000}, 409),
        (LAMPS, 202),
        (LAMPS, 202),
        (LAMPS | {"quantity": 9}, 409),
    ):
        assert carol.order("door", wish) == expected, wish
    assert doors("dave").order("door", LAMPS) == 409
    assert carol.ask("GET", "/orders/door", {})[0] == 404
    answered, [order] = carol.ask("GET", "/orders", {})
    assert answered == 200
    assert (order["order"], order["quantity"], order["price"]) == ("door", 10, "299.00")
    assert doors("dave").ask("GET", "/orders", {}) == (200, [])
    assert doors(None).ask("GET", "/orders", {})[0] == 401


def test_a_browser_hears_of_the_orders_of_its_customer_alone(
    opened: Opened, doors: Callable[[str | None], Door]
) -> None:
    aws = opened.aws
    eve, frank = doors("eve"), doors("frank")
    with eve.live() as one, eve.live() as another, frank.live() as of_frank:
        assert eve.order("live-1", LAMPS) == 202
        taken = {"order": "live-1", "waits_for": ["email", "inventory", "payments"]}
        assert hears(one) == hears(another) == taken
        aws.resource("dynamodb").Table("shop-orders").update_item(
            Key={"id": "live-1"}, UpdateExpression="DELETE todo :done", ExpressionAttributeValues={":done": {"email"}}
        )
        assert hears(one) == {"order": "live-1", "waits_for": ["inventory", "payments"]}
        assert frank.order("live-2", LAMPS | {"mail": False}) == 202
        assert hears(of_frank) == {"order": "live-2", "waits_for": ["inventory", "payments"]}
    # The shop knows that they have gone.
    eventually(lambda: not aws.resource("dynamodb").Table("shop-browsers").scan()["Items"])


def test_a_ticket_is_needed_and_holds_once(doors: Callable[[str | None], Door]) -> None:
    answered, ticket = doors("ada").ask("POST", "/tickets", {})
    assert answered == 201
    with connect(ticket["url"]):
        pass
    for url in (ticket["url"], ticket["url"].partition("?")[0], f"{ticket['url']}x"):
        with pytest.raises(InvalidStatus) as refused:
            connect(url)
        assert refused.value.response.status_code == 403


def advance(server: Server, duration: str) -> None:
    moved = cloudlet("clock", "advance", duration, "--port", server.port)
    assert moved.returncode == 0, moved.stderr


ORDER = {"id": "7", "customer": "ada", "item": "desk", "quantity": 1, "price": "499.00", "currency": "EUR"}


@pytest.fixture
def signed(aws: Aws) -> Iterator[dict[str, Any]]:
    """A message as SNS has signed it, about a topic of the account."""
    sns = aws.client("sns")
    topic = sns.create_topic(Name="agreed", Attributes={"SignatureVersion": "2"})["TopicArn"]
    with endpoint() as (url, heard):
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=url)
        sns.confirm_subscription(TopicArn=topic, Token=heard.get(timeout=SECONDS)["Token"])
        sns.publish(TopicArn=topic, Message=json.dumps(ORDER), Subject="order")
        yield heard.get(timeout=SECONDS)


def test_the_partner_believes_what_sns_has_signed_and_nothing_else(aws: Aws, signed: dict[str, Any]) -> None:
    with partner(aws, signed["TopicArn"]) as url:
        assert post(url, signed) == 200
        for changed in (
            {"Message": json.dumps(ORDER | {"quantity": 100})},
            {"Subject": "another"},
            {"Signature": "Zm9yZ2Vk"},
            {"Signature": "not base 64"},
            {"SignatureVersion": "1"},
            {"Type": "Rumour"},
            {"SigningCertURL": "https://sns.us-east-1.amazonaws.com.mallory.example/certificate.pem"},
        ):
            assert post(url, signed | changed) == 403, changed
        assert post(url, {name: value for name, value in signed.items() if name != "Signature"}) == 403
        assert post(url, ["no message"]) == 403


def test_the_partner_hears_of_the_one_topic_alone(aws: Aws, signed: dict[str, Any]) -> None:
    with partner(aws, f"{signed['TopicArn']}-2") as url:
        assert post(url, signed) == 403
