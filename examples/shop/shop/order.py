"""An order: what a customer asks for, and what travels through the queues."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")


@dataclass(frozen=True)
class Order:
    """`price` is what all of it costs, as a decimal number; `currency` is an ISO 4217 code."""

    id: str
    customer: str
    item: str
    quantity: int
    price: str
    currency: str

    def __post_init__(self) -> None:
        """Raises ValueError for what cannot be an order."""
        for name in (self.id, self.customer, self.item, self.currency):
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise ValueError(f"not a name: {name!r}")
        if not isinstance(self.quantity, int) or self.quantity < 1:
            raise ValueError(f"not a quantity: {self.quantity!r}")
        try:
            positive = Decimal(self.price) > 0
        except (InvalidOperation, TypeError, ValueError):
            positive = False
        if not positive:
            raise ValueError(f"not a price: {self.price!r}")

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes, **more: Any) -> Order:
        """Return the order that `text`, completed by `more`, describes. Raises ValueError for anything else."""
        fields = json.loads(text)
        try:
            return cls(**fields, **more)
        except TypeError as error:
            raise ValueError("an order has id, customer, item, quantity, price and currency") from error
