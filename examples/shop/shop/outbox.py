"""outbox: tells the world what becomes of the orders, by reading the stream of their table.

Each new order is published to the topic. Did `orders` do so itself, it could die between taking an order and
publishing it, and nobody would ever hear of that order; what is in the table is in the stream. An order that is
complete is written down in the books, once.
"""

from __future__ import annotations

import time

import boto3

from shop import books, names, order_book, tables, topic, trace
from shop.patience import FEW_TRIES, end_when_told, keep_at_it
from shop.stream import Reader, Row

POLL_SECONDS = 0.2


def follow(before: Row | None, after: Row | None) -> None:
    if after is None:
        return
    order = order_book.from_row(after)
    if before is None:
        with trace.segment("outbox", after.get("trace")):
            topic.publish(sns, topic_arn, order)
        print(f"{order.id}: published")
    if "todo" not in after and (before is None or "todo" in before):
        books.enter(dynamodb, names.COMPLETED, order.id)
        print(f"{order.id}: complete")


def look() -> None:
    reader.read(follow)
    time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    end_when_told()
    sns = trace.carried_by(boto3.client("sns", config=FEW_TRIES))
    topic_arn = topic.arn(sns, boto3.client("sts").get_caller_identity()["Account"])
    streams, dynamodb = boto3.client("dynamodbstreams", config=FEW_TRIES), tables.client()
    reader = Reader(streams, dynamodb, order_book.stream(dynamodb), names.POSITIONS)
    print("ready")
    keep_at_it(look, "the stream or the topic")
