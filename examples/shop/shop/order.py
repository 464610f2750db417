"""An order: what a customer wishes for, and what the shop makes of it and tells its services."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from typing import Any, Self

DELIVERIES = ("parcel", "download")

_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
_PRICE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,3})?")
_MOST = 1000


@dataclass(frozen=True)
class Wish:
    """What a customer asks for. `currency` is an ISO 4217 code; `mail` says whether he wants to be written to."""

    id: str
    customer: str
    item: str
    quantity: int
    currency: str
    mail: bool = True

    def __post_init__(self) -> None:
        """Raises ValueError for what cannot be a wish."""
        for name in (self.id, self.customer, self.item, self.currency):
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise ValueError(f"not a name: {name!r}")
        if type(self.quantity) is not int or not 1 <= self.quantity <= _MOST:
            raise ValueError(f"not a quantity: {self.quantity!r}")
        if not isinstance(self.mail, bool):
            raise ValueError(f"neither true nor false: {self.mail!r}")

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes, **more: Any) -> Self:
        """Return the wish or order that `text`, completed by `more`, describes. Raises ValueError for anything else."""
        try:
            return cls(**json.loads(text), **more)
        except TypeError as error:
            names = ", ".join(field.name for field in fields(cls))
            raise ValueError(f"an object is needed that has no more and no less than {names}") from error


@dataclass(frozen=True, kw_only=True)
class Order(Wish):
    """A wish that the shop can fulfil.

    `price` is what all of it costs, a decimal number as it is written on the bill; `delivery` says whether there are
    goods to ship.
    """

    price: str
    delivery: str = "parcel"

    def __post_init__(self) -> None:
        """Raises ValueError for what cannot be an order."""
        super().__post_init__()
        if not isinstance(self.price, str) or not _PRICE.fullmatch(self.price):
            raise ValueError(f"not a price: {self.price!r}")
        if self.delivery not in DELIVERIES:
            raise ValueError(f"not a delivery: {self.delivery!r}")

    @property
    def todo(self) -> set[str]:
        """The services that have to do their part before the order is complete."""
        concerns = {
            "payments": Decimal(self.price) > 0,
            "inventory": self.delivery == "parcel",
            "email": self.mail,
        }
        return {service for service, concerned in concerns.items() if concerned}
