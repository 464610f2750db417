"""The figures as a table: a row a figure, a column an engine, divided by the first one's in brackets."""

from collections.abc import Mapping

_ROWS = [
    ("rows", "rows loaded", ""),
    ("load_rows_s", "load, a sync every 1,000: rows/s", "↑"),
    ("put16_s", "puts/s, a sync every 16", "↑"),
    ("put32_s", "puts/s, a sync every 32", "↑"),
    ("put32_cpu_us", "processor time of a put, µs", "↓"),
    ("sync16_p50_us", "sync of 16, p50 µs", "↓"),
    ("sync16_p99_us", "sync of 16, p99 µs", "↓"),
    ("get_s", "random gets/s", "↑"),
    ("scan_s", "10-row scans/s", "↑"),
    ("scan_back_s", "10-row scans/s, backward", "↑"),
    ("queue_s", "queue: send + receive + delete, messages/s", "↑"),
    ("head_s", "queue: looks at the head/s", "↑"),
    ("head_anew_ms", "queue: first look after a restart, ms", "↓"),
    ("memory_load_mb", "own memory after load, MB", "↓"),
    ("memory_puts_mb", "own memory after puts, MB", "↓"),
    ("memory_reads_mb", "own memory after reads, MB", "↓"),
    ("memory_queue_mb", "own memory after queue, MB", "↓"),
    ("mapped_reads_mb", "mapped files after reads, MB", "↓"),
    ("disk_mb", "on disk after load, MB", "↓"),
    ("reopen_ms", "open and first get, ms", "↓"),
    ("recovery_ms", "open after kill -9 and first get, ms", "↓"),
    ("lost_rows", "acknowledged rows lost", ""),
    ("unacknowledged_rows", "rows seen that were not acknowledged", ""),
    ("snapshot_mb", "store that is copied, MB", ""),
    ("snapshot_ms", "copy of the closed store, ms", "↓"),
    ("snapshot_synced_ms", "the same and fsync, ms", "↓"),
    ("restore_ms", "restore, open and first get, ms", "↓"),
    ("live_snapshot_ms", "copy of the open store, ms", "↓"),
    ("load_average", "load average of the machine", ""),
]


def render(medians: Mapping[str, Mapping[str, float]]) -> str:
    """A Markdown table, aligned to be read as it is."""
    engines = list(medians)
    first = medians[engines[0]]
    lines = [["", *engines]]
    for name, label, better in _ROWS:
        if not any(name in figures for figures in medians.values()):
            continue
        cells = [
            _cell(medians[engine].get(name), first.get(name) if better and at else None)
            for at, engine in enumerate(engines)
        ]
        lines.append([f"{label} {better}".rstrip(), *cells])
    widths = [max(len(line[column]) for line in lines) for column in range(len(engines) + 1)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(
        "| "
        + " | ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        + " |"
        for line in [lines[0], rule, *lines[1:]]
    )


def _cell(figure: float | None, reference: float | None) -> str:
    if figure is None:
        return "–"
    return number(figure) + (f" ({number(figure / reference)}×)" if reference else "")


def number(figure: float) -> str:
    """Three digits are enough."""
    if figure >= 100 or not figure:
        return f"{figure:,.0f}"
    return f"{figure:.1f}" if figure >= 10 else f"{figure:.2g}"
