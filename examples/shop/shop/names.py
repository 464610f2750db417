"""The names of what the shop is made of on AWS, which the stack and the code agree on."""

from __future__ import annotations

CATALOGUE, ORDERS, POSITIONS = "shop-catalogue", "shop-orders", "shop-outbox-positions"
TICKETS, BROWSERS = "shop-tickets", "shop-browsers"
CHARGES, PACKED, LETTERS, COMPLETED, CALLS = (
    "shop-charges",
    "shop-packed",
    "shop-letters",
    "shop-completed",
    "shop-calls",
)
"""Tables: what is sold and ordered, who is looking, and the books of payments, inventory, email, outbox and on-call."""
BY_CUSTOMER = "by-customer"
"""An index of the orders, and of the browsers."""

ORDER_PLACED, ALARMS = "shop-order-placed", "shop-alarms"
"""Topics."""
DEAD_LETTERS = "shop-payments-dead-letters"
"""The alarm that rings when an order waits among the dead letters."""
DASHBOARD = LOG = CLUSTER = REPOSITORY = STACK = MESH = "shop"
MESH_LOGS = "mesh"
"""Streams of logs of the mesh's Envoys begin so."""

DOMAIN = "shop.example"
"""Where customers come to, unless the stack is told otherwise."""
NETWORK, PORT = "shop.internal", 8080
"""Services find each other by names in this domain, and listen at this port."""
ORDERS_HOST = f"orders.{NETWORK}"

TRIES = 3
"""How often a service tries a message before it goes to the dead letters."""


def queue(service: str) -> str:
    return f"shop-{service}"


def dead_letters(service: str) -> str:
    return f"shop-{service}-dead-letters"


def pictures(account: str) -> str:
    """Return the name of the bucket of pictures. Those of all the world's buckets differ, so the account is in it."""
    return f"shop-pictures-{account}"


def artifacts(account: str) -> str:
    """Return the name of the bucket from which the shop is deployed."""
    return f"shop-artifacts-{account}"
