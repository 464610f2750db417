"""Makes what the shop needs of AWS, and fills the catalogue and the gallery: `python deploy.py`.

What is there already is kept, but for the catalogue: the shop is restocked. `python deploy.py --clean-up` deletes all.
`$SHOP_ISSUER` is the URL of the identity provider whose tokens the public API trusts; without one there is no such API.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import cached_property

import boto3
from shop import (
    alarm,
    api,
    browsers,
    catalogue,
    dashboard,
    front_door,
    function,
    gallery,
    live,
    order_book,
    outbox,
    queues,
    roles,
    stream,
    tables,
    topic,
)


class Shop:
    """What the shop is made of on AWS."""

    def __init__(self) -> None:
        self.dynamodb = tables.client()
        self.s3 = gallery.client()
        self.sns, self.sqs = boto3.client("sns"), boto3.client("sqs")
        self.functions, self.gateway = boto3.client("lambda"), boto3.client("apigatewayv2")
        self.cloudwatch, self.iam = boto3.client("cloudwatch"), boto3.client("iam")

    @cached_property
    def account(self) -> str:
        return str(boto3.client("sts").get_caller_identity()["Account"])

    def deploy(self, issuer: str | None) -> str | None:
        """Make all; return the URL of the public API, if there is one."""
        print(f"\nThe shop is deployed to {self.sns.meta.endpoint_url}")
        roles.create(self.iam, self.account, self.sns.meta.region_name)
        print(f"  roles      {', '.join(roles.name(each) for each in (*roles.SERVICES, *function.NAMES))}")
        stream_arn = self.make_tables()
        described = live.create(self.gateway)
        variables = {
            "tickets": {"SHOP_LIVE": live.url(described)},
            "progress": {"SHOP_CONNECTIONS": live.connections_url(described)},
        }
        by_function = {each: roles.arn(self.account, each) for each in function.NAMES}
        arns = function.create(self.functions, by_function, variables)
        print(f"  functions  {', '.join(arns)}")
        self.make_gallery(arns["thumbnails"])
        self.make_topic()
        self.make_alarm()
        function.read_stream(self.functions, arns["progress"], stream_arn)
        live.open_to_browsers(self.gateway, self.functions, self.account, described["ApiId"], arns["connections"])
        print(f"  api        {live.url(described)}")
        door = None
        if issuer is not None:
            door = front_door.create(self.gateway, self.functions, self.account, arns, issuer)
            print(f"  api        {door}: {', '.join(front_door.ROUTES)}")
        dashboard.create(self.cloudwatch)
        print(f"  dashboard  {dashboard.NAME}")
        return door

    def make_tables(self) -> str:
        """Make the tables; return the ARN of the stream of the orders."""
        catalogue.create(self.dynamodb)
        catalogue.fill(catalogue.PRODUCTS)
        print(f"  table      {catalogue.TABLE}: {len(catalogue.PRODUCTS)} products")
        stream_arn = order_book.create(self.dynamodb)
        stream.create_positions(self.dynamodb, outbox.POSITIONS)
        print(f"  table      {order_book.TABLE}: with an index, {order_book.BY_CUSTOMER}, and a stream")
        browsers.create(self.dynamodb)
        print(f"  tables     {browsers.TICKETS}, {browsers.BROWSERS}")
        return stream_arn

    def make_gallery(self, thumbnails: str) -> None:
        bucket = gallery.name()
        gallery.create(self.s3, bucket)
        function.admit(self.functions, thumbnails, "s3.amazonaws.com", f"arn:aws:s3:::{bucket}")
        gallery.tell(self.s3, bucket, thumbnails)
        for product in catalogue.PRODUCTS:
            picture = gallery.draw(product.item)
            gallery.put(self.s3, bucket, gallery.key(gallery.PICTURES, product.item), picture)
        print(f"  bucket     {bucket}: {len(catalogue.PRODUCTS)} pictures, each given to thumbnails")

    def make_topic(self) -> None:
        topic_arn = topic.create(self.sns)
        print(f"  topic      {topic.NAME}, and which orders go where")
        for service, filters in topic.FILTERS.items():
            queue_arn = queues.create(self.sqs, service, "sns.amazonaws.com", topic_arn)
            topic.subscribe_queue(self.sns, topic_arn, queue_arn, filters)
            print(f"             {queues.name(service):<15} {filters['FilterPolicy']}")

    def make_alarm(self) -> None:
        topic_arn = alarm.create_topic(self.sns)
        topic.subscribe_queue(self.sns, topic_arn, queues.create(self.sqs, "on-call", "sns.amazonaws.com", topic_arn))
        alarm.create(self.cloudwatch, topic_arn)
        print(f"  alarm      {alarm.NAME}, heard in {queues.name('on-call')}")

    def clean_up(self) -> None:
        for name in (front_door.NAME, live.NAME):
            api.delete(self.gateway, name)
        function.delete(self.functions, boto3.client("logs"))
        self.cloudwatch.delete_alarms(AlarmNames=[alarm.NAME])
        # CloudWatch has two errors by one code.
        missing = self.cloudwatch.exceptions.DashboardNotFoundError, self.cloudwatch.exceptions.ResourceNotFound
        with suppress(*missing):
            self.cloudwatch.delete_dashboards(DashboardNames=[dashboard.NAME])
        for topic_arn in (topic.create(self.sns), alarm.create_topic(self.sns)):
            # Its subscriptions go with it.
            self.sns.delete_topic(TopicArn=topic_arn)
        self.empty_gallery()
        for service in queues.SERVICES:
            for queue in (queues.name(service), queues.dead_letters_name(service)):
                with suppress(self.sqs.exceptions.QueueDoesNotExist):
                    self.sqs.delete_queue(QueueUrl=queues.url(self.sqs, queue))
        made = (catalogue.TABLE, order_book.TABLE, outbox.POSITIONS, browsers.TICKETS, browsers.BROWSERS)
        for table in made:
            with suppress(self.dynamodb.exceptions.ResourceNotFoundException):
                self.dynamodb.delete_table(TableName=table)
            self.dynamodb.get_waiter("table_not_exists").wait(TableName=table)
        roles.delete(self.iam)

    def empty_gallery(self) -> None:
        bucket = gallery.name()
        with suppress(self.s3.exceptions.NoSuchBucket):
            for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
                if found := [{"Key": one["Key"]} for one in page.get("Contents", [])]:
                    self.s3.delete_objects(Bucket=bucket, Delete={"Objects": found})
            self.s3.delete_bucket(Bucket=bucket)


if __name__ == "__main__":
    shop = Shop()
    shop.clean_up() if sys.argv[1:] == ["--clean-up"] else shop.deploy(os.environ.get("SHOP_ISSUER"))
