"""The tables: of the catalogue and the orders, of who is looking, and the books of each service."""

from __future__ import annotations

from typing import Any

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct
from shop import names


class Tables(Construct):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        self._create(names.CATALOGUE, "item")
        self.orders = self._create(names.ORDERS, "id", stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES)
        self.orders.add_global_secondary_index(
            index_name=names.BY_CUSTOMER, partition_key=_string("customer"), sort_key=_string("placed")
        )
        self._create(names.POSITIONS, "stream", "shard")
        self._create(names.TICKETS, "ticket", time_to_live_attribute="expires")
        self._create(names.BROWSERS, "connection").add_global_secondary_index(
            index_name=names.BY_CUSTOMER,
            partition_key=_string("customer"),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )
        for table in (names.CHARGES, names.PACKED, names.LETTERS, names.COMPLETED):
            self._create(table, "id")
        self._create(names.CALLS, "alarm", "at")

    def _create(self, name: str, partition: str, sort: str | None = None, **more: Any) -> dynamodb.Table:
        settings = {
            "partition_key": _string(partition),
            "sort_key": _string(sort) if sort else None,
            "billing_mode": dynamodb.BillingMode.PAY_PER_REQUEST,
            "removal_policy": RemovalPolicy.DESTROY,
        }
        return dynamodb.Table(self, name.removeprefix("shop-"), table_name=name, **settings | more)


def _string(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
