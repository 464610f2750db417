"""What was measured of something that grows, at several sizes, as a table."""

from collections.abc import Sequence
from typing import Protocol

from benchmarks.scenarios import Speed

MIB = 1024 * 1024


class Level(Protocol):
    """One size: memory and disk in bytes, and the speeds by what was measured; none where nothing was."""

    @property
    def count(self) -> int: ...
    @property
    def resident(self) -> int: ...
    @property
    def disk(self) -> int: ...
    @property
    def speeds(self) -> dict[str, Speed]: ...


def table(things: str, levels: Sequence[Level], measured: Sequence[str]) -> str:
    """The levels as README.md shows them."""
    rows = [
        [things, *(f"{level.count:,}" for level in levels)],
        ["resident memory, MiB", *(f"{level.resident / MIB:.0f}" for level in levels)],
        ["disk, MiB", *(f"{level.disk / MIB:,.0f}" for level in levels)],
    ]
    for name in measured:
        speeds = [level.speeds[name] for level in levels if level.speeds]
        rows.append([f"{name}, requests/s", *(f"{speed.per_second:,.0f}" for speed in speeds)])
        rows.append([f"{name}, p50 / p99 ms", *(f"{speed.p50_ms:.2f} / {speed.p99_ms:.2f}" for speed in speeds)])
        rows.append([f"{name}, server CPU µs", *(f"{speed.server_cpu_us_per_message:,.0f}" for speed in speeds)])
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "| --- |" + " ---: |" * len(levels))
    return "\n".join(lines)
