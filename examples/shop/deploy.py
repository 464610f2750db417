"""Makes what the shop needs of AWS, and fills the catalogue and the gallery: `python deploy.py`.

What is there already is kept, but for the catalogue: the shop is restocked. `python deploy.py --clean-up` deletes all.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

import boto3
from shop import catalogue, gallery, order_book, outbox, queues, stream, tables, topic


def deploy() -> None:
    dynamodb, s3, sns, sqs = clients()
    print(f"\nThe shop is deployed to {sns.meta.endpoint_url}")

    catalogue.create(dynamodb)
    order_book.create(dynamodb)
    stream.create_positions(dynamodb, outbox.POSITIONS)
    catalogue.fill(catalogue.PRODUCTS)
    print(f"  table   {catalogue.TABLE}: {len(catalogue.PRODUCTS)} products")
    print(f"  table   {order_book.TABLE}: with an index, {order_book.BY_CUSTOMER}, and a stream")

    bucket = gallery.name()
    gallery.create(s3, bucket)
    gallery.tell(s3, bucket, queues.create(sqs, "pictures", "s3.amazonaws.com", f"arn:aws:s3:::{bucket}"))
    for product in catalogue.PRODUCTS:
        gallery.put(s3, bucket, gallery.key(gallery.PICTURES, product.item), gallery.draw(product.item))
    print(f"  bucket  {bucket}: {len(catalogue.PRODUCTS)} pictures, told of in {queues.name('pictures')}")

    topic_arn = topic.create(sns)
    print(f"  topic   {topic.NAME}, and which orders go where")
    for service, filters in topic.FILTERS.items():
        queue_arn = queues.create(sqs, service, "sns.amazonaws.com", topic_arn)
        topic.subscribe_queue(sns, topic_arn, service, queue_arn)
        print(f"          {queues.name(service):<15} {filters['FilterPolicy']}")


def clean_up() -> None:
    dynamodb, s3, sns, sqs = clients()
    # Its subscriptions go with it.
    sns.delete_topic(TopicArn=topic.create(sns))
    bucket = gallery.name()
    with suppress(s3.exceptions.NoSuchBucket):
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            if found := [{"Key": one["Key"]} for one in page.get("Contents", [])]:
                s3.delete_objects(Bucket=bucket, Delete={"Objects": found})
        s3.delete_bucket(Bucket=bucket)
    for service in queues.SERVICES:
        for queue in (queues.name(service), queues.dead_letters_name(service)):
            with suppress(sqs.exceptions.QueueDoesNotExist):
                sqs.delete_queue(QueueUrl=queues.url(sqs, queue))
    for table in (catalogue.TABLE, order_book.TABLE, outbox.POSITIONS):
        with suppress(dynamodb.exceptions.ResourceNotFoundException):
            dynamodb.delete_table(TableName=table)
        dynamodb.get_waiter("table_not_exists").wait(TableName=table)


def clients() -> tuple[Any, Any, Any, Any]:
    return tables.client(), gallery.client(), boto3.client("sns"), boto3.client("sqs")


if __name__ == "__main__":
    clean_up() if sys.argv[1:] == ["--clean-up"] else deploy()
