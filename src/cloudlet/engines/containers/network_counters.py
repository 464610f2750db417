"""The counters of a program's network, as the kernel shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_COUNTERS: Final = ("bytes", "packets", "errors", "dropped")
_COLUMNS: Final = 8
"""Columns of what is received; as many of what is sent follow."""
_LOOPBACK: Final = "lo"


def read(process: int) -> dict[str, dict[str, int]]:
    """Return what each interface of a process has received and sent. Raises OSError."""
    return parse(Path(f"/proc/{process}/net/dev").read_text())


def parse(table: str) -> dict[str, dict[str, int]]:
    """Return the counters of each interface, such as `rx_bytes` and `tx_packets`."""
    found = {}
    for line in table.splitlines():
        name, colon, rest = line.partition(":")
        values = rest.split()
        if colon and len(values) >= 2 * _COLUMNS and name.strip() != _LOOPBACK:
            found[name.strip()] = {
                f"{way}_{counter}": int(values[begin + number])
                for way, begin in (("rx", 0), ("tx", _COLUMNS))
                for number, counter in enumerate(_COUNTERS)
            }
    return found
