"""Each service keeps its own books, in a SQLite file that no other service opens."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path


def open_books(service: str, schema: str) -> sqlite3.Connection:
    """Open the books of a service in the folder `$SHOP_DATA`, made by `schema` where they are new."""
    folder = Path(os.environ.get("SHOP_DATA", "shop-data"))
    folder.mkdir(parents=True, exist_ok=True)
    books = sqlite3.connect(folder / f"{service}.sqlite")
    books.executescript(schema)
    return books
