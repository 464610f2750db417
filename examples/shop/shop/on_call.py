"""on-call: who is called when something is wrong, and again when it is well. This one only keeps a diary."""

from __future__ import annotations

from shop import alarm
from shop.books import open_books
from shop.worker import serve

SCHEMA = """
CREATE TABLE IF NOT EXISTS calls (
    position INTEGER PRIMARY KEY,
    alarm TEXT,
    state TEXT
)
"""


def ring(message: str) -> None:
    name, state, reason = alarm.read(message)
    with books:
        books.execute("INSERT INTO calls (alarm, state) VALUES (?, ?)", (name, state))
    print(f"{name} is {state}: {reason}")


if __name__ == "__main__":
    books = open_books("on-call", SCHEMA)
    serve("on-call", ring)
