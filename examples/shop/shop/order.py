"""An order: what a customer asks for, and what the shop's services are told."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import Any

DELIVERIES = ("parcel", "download")

_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
_PRICE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,3})?")


@dataclass(frozen=True)
class Order:
    """`price` is what all of it costs, as a decimal number; `currency` is an ISO 4217 code.

    `delivery` says whether there are goods to ship, `mail` whether the customer wants to be written to.
    """

    id: str
    customer: str
    item: str
    quantity: int
    price: str
    currency: str
    delivery: str = "parcel"
    mail: bool = True

    def __post_init__(self) -> None:
        """Raises ValueError for what cannot be an order."""
        for name in (self.id, self.customer, self.item, self.currency):
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise ValueError(f"not a name: {name!r}")
        if not isinstance(self.quantity, int) or self.quantity < 1:
            raise ValueError(f"not a quantity: {self.quantity!r}")
        if not isinstance(self.price, str) or not _PRICE.fullmatch(self.price):
            raise ValueError(f"not a price: {self.price!r}")
        if self.delivery not in DELIVERIES:
            raise ValueError(f"not a delivery: {self.delivery!r}")
        if not isinstance(self.mail, bool):
            raise ValueError(f"neither true nor false: {self.mail!r}")

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes, **more: Any) -> Order:
        """Return the order that `text`, completed by `more`, describes. Raises ValueError for anything else."""
        fields = json.loads(text)
        try:
            return cls(**fields, **more)
        except TypeError as error:
            raise ValueError("an order has id, customer, item, quantity, price, currency, delivery and mail") from error
