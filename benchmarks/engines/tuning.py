"""RocksDB's options, one changed at a time, by the same workloads: `python -m benchmarks.engines.tuning`.

Each variant loads a store of its own and is measured after it; the product's options (`cloudlet.store.rocks`) come
first and once more at the end, so that what the machine's other work did to the run can be seen.
"""

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop
from rocksdict import BlockBasedOptions, Cache, DBCompactionStyle, DBCompressionType, Options, WriteBufferManager

from benchmarks.engines.table import number
from benchmarks.engines.turns import alone
from benchmarks.engines.workloads import BenchStore, Figures, key, load, puts, queue, reads
from cloudlet.store import rocks

_Change = Callable[[Options], object]


def _table(
    cache_bytes: int = 16 << 20,
    *,
    bloom: bool = True,
    block_bytes: int = 4096,
    hash_ratio: float = 0,
    checked: bool = True,
    cache: Cache | None = None,
) -> _Change:
    """The product's table options but for what is given."""

    def change(options: Options) -> None:
        table = BlockBasedOptions()
        table.set_block_cache(cache or Cache(cache_bytes))
        if bloom:
            table.set_bloom_filter(10, False)
        table.set_cache_index_and_filter_blocks(True)
        table.set_pin_l0_filter_and_index_blocks_in_cache(True)
        table.set_block_size(block_bytes)
        if hash_ratio:
            table.set_data_block_index_type(_hashed())
            table.set_data_block_hash_ratio(hash_ratio)
        options.set_block_based_table_factory(table)

    return change


def _hashed() -> Any:
    from rocksdict import DataBlockIndexType

    return DataBlockIndexType.binary_and_hash()


def _one_budget(options: Options) -> None:
    """Write buffers are charged to the block cache: 32 MB are shared by both."""
    cache = Cache(32 << 20)
    _table(cache=cache)(options)
    options.set_write_buffer_manager(WriteBufferManager.new_write_buffer_manager_with_cache(16 << 20, False, cache))


def _buffers(megabytes: int, most: int = 4) -> _Change:
    def change(options: Options) -> None:
        options.set_write_buffer_size(megabytes << 20)
        options.set_max_write_buffer_number(most)

    return change


def _all(*changes: _Change) -> _Change:
    def change(options: Options) -> None:
        for one in changes:
            one(options)

    return change


def _deletions(window: int, trigger: int) -> _Change:
    """Compact a file soon that has so many deletions within so many rows."""
    return lambda options: options.add_compact_on_deletion_collector_factory(window, trigger, 0.0)


VARIANTS: dict[str, _Change] = {
    "as it is": lambda options: None,
    "buffers 4 MB": _buffers(4),
    "buffers 16 MB × 2": _buffers(16, 2),
    "buffers 32 MB × 2": _buffers(32, 2),
    "cache 8 MB": _table(8 << 20),
    "cache 32 MB": _table(32 << 20),
    "cache 64 MB": _table(64 << 20),
    "no bloom": _table(bloom=False),
    "blocks 8 KB": _table(block_bytes=8192),
    "blocks 16 KB": _table(block_bytes=16384),
    "block hash index": _table(hash_ratio=0.75),
    "one budget 32 MB": _one_budget,
    "no compression": lambda options: options.set_compression_type(DBCompressionType.none()),
    "zstd below lz4": lambda options: options.set_bottommost_compression_type(DBCompressionType.zstd()),
    "universal": lambda options: options.set_compaction_style(DBCompactionStyle.universal()),
    "1 job": lambda options: options.set_max_background_jobs(1),
    "4 jobs": lambda options: options.set_max_background_jobs(4),
    "files 16 MB": lambda options: options.set_target_file_size_base(16 << 20),
    "bytes per sync 1 MB": lambda options: options.set_bytes_per_sync(1 << 20),
    "compact on deletion": _deletions(1024, 512),
    "all files open": lambda options: options.set_max_open_files(-1),
}

COLUMNS = {
    "load_rows_s": "load/s",
    "put16_s": "put/s of 16",
    "put16_cpu_us": "cpu µs",
    "sync16_p50_us": "sync p50 µs",
    "sync16_p99_us": "p99 µs",
    "get_s": "get/s",
    "get_absent_s": "absent/s",
    "scan_s": "scan/s",
    "scan_back_s": "back/s",
    "queue_s": "queue/s",
    "head_anew_ms": "head anew ms",
    "memory_load_mb": "MB load",
    "memory_peak_mb": "MB peak",
    "disk_mb": "MB disk",
    "load_average": "machine load",
}


async def measure(variant: str, folder: Path, rows: int, seconds: float) -> Figures:
    """Load a store with the options of a variant, and work on it."""
    ordinary = rocks._options

    def changed() -> Options:
        options = ordinary()
        VARIANTS[variant](options)
        return options

    vars(rocks)["_options"] = changed
    figures: Figures = {}
    for workload in (load, puts, reads, queue):
        limit = 120 if workload is load else seconds
        figures |= await workload("rocksdb", folder, rows, limit)
    figures["get_absent_s"] = await _absent(folder, rows, seconds / 2)
    figures["memory_peak_mb"] = max(figure for name, figure in figures.items() if name.startswith("memory_"))
    return figures


async def _absent(folder: Path, rows: int, seconds: float) -> float:
    """Gets of keys that were never there, which a Bloom filter answers."""
    store = BenchStore("rocksdb", folder)
    count, started = 0, time.perf_counter()
    while (took := time.perf_counter() - started) < seconds:
        for at in range(count, count + 64):
            store.read(key(rows + at))
        count += 64
        await asyncio.sleep(0)
    await store.close()
    return count / took


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines.tuning", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=3, help="of each measurement (default %(default)s)")
    parser.add_argument("--only", help="variants, separated by commas")
    parser.add_argument("--folder", type=Path, default=Path.cwd(), help="on the disk to measure; left as it was")
    parser.add_argument("--lock", type=Path, help="a file that is locked (flock) during each measurement")
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        figures = uvloop.run(measure(arguments.one, arguments.folder, arguments.rows, arguments.seconds))
        print(json.dumps(figures))
        return
    names = arguments.only.split(",") if arguments.only else [*VARIANTS, "as it is"]
    results: list[tuple[str, Figures]] = []
    print("| variant | " + " | ".join(COLUMNS.values()) + " |")
    print("| --- |" + " ---: |" * len(COLUMNS), flush=True)
    for name in names:
        folder = Path(tempfile.mkdtemp(dir=arguments.folder, prefix="tuning-"))
        command = [sys.executable, "-m", "benchmarks.engines.tuning", "--one", name, "--folder", str(folder)]
        command += ["--rows", str(arguments.rows), "--seconds", str(arguments.seconds)]
        try:
            with alone(arguments.lock):
                load_average = os.getloadavg()[0]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        finally:
            shutil.rmtree(folder)
        figures = {**json.loads(done.stdout), "load_average": load_average}
        results.append((name, figures))
        print(f"| {name} | " + " | ".join(number(figures[column]) for column in COLUMNS) + " |", flush=True)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
