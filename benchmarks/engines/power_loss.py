"""What RocksDB recovers after a power loss, simulated: `python -m benchmarks.engines.power_loss`.

A loss of power may leave any of the pages that were not synced as they were before. So the store is copied when it
has just synced, and again after more writes; in copies of the second, random pages of the logs are put back as in the
first. Each must open, hold all that was synced, and of the rest a beginning without holes.
"""

import argparse
import random
import shutil
import struct
import tempfile
import time
from pathlib import Path

from rocksdict import Options

from cloudlet.store import rocks

_PAGE = 4096
_WRITE_BUFFER_BYTES = 256 << 10
_LOSSES_A_ROUND = 6
_BUSY = ("num-running-flushes", "mem-table-flush-pending", "num-running-compactions")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines.power_loss", description=__doc__)
    parser.add_argument("--rounds", type=int, default=90)
    parser.add_argument("--recycle", type=int, default=2, help="logs that are recycled (default %(default)s)")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path.cwd(), help="where to work; left as it was")
    arguments = parser.parse_args()

    ordinary = rocks._options

    def changed(durable: bool) -> Options:
        options = ordinary(durable)
        options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
        options.set_recycle_log_file_num(arguments.recycle)
        return options

    vars(rocks)["_options"] = changed
    chance = random.Random(arguments.seed)
    lost = holes = 0
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="power-loss-") as name:
        folder = Path(name)
        store = rocks.OrderedMap(folder / "store")
        rows = 0
        for _ in range(arguments.rounds):
            rows = _write(store, rows, chance.randrange(100, 900))
            store.sync()
            synced = rows
            _copy(store, folder / "synced")
            rows = _write(store, rows, chance.randrange(1, 200))
            _copy(store, folder / "written")
            for _ in range(_LOSSES_A_ROUND):
                shutil.copytree(folder / "written", folder / "left")
                _put_back(folder / "left", folder / "synced", chance)
                left = rocks.OrderedMap(folder / "left")
                lost += any(left.get(_key(row)) != _value(row) for row in range(synced))
                seen = [left.get(_key(row)) == _value(row) for row in range(synced, rows)]
                holes += seen != sorted(seen, reverse=True)
                left.close()
                shutil.rmtree(folder / "left")
            shutil.rmtree(folder / "synced")
            shutil.rmtree(folder / "written")
        store.close()
        recycled = sum(file.read_text().count("reusing log") for file in (folder / "store").glob("LOG*"))
    print(
        f"{arguments.rounds * _LOSSES_A_ROUND} losses, {rows:,} rows, {recycled} logs recycled: "
        f"{lost} lost synced rows, {holes} had holes"
    )
    raise SystemExit(bool(lost or holes))


def _key(row: int) -> bytes:
    return struct.pack(">Q", row)


def _value(row: int) -> bytes:
    return random.Random(row).randbytes(284)


def _write(store: rocks.OrderedMap, rows: int, more: int) -> int:
    for row in range(rows, rows + more):
        store.write([(_key(row), _value(row))], [])
    return rows + more


def _copy(store: rocks.OrderedMap, target: Path) -> None:
    """Copy the files while nothing changes them: a copy in the middle of a flush is no state that a disk ever had."""
    while any(store._db.property_int_value(f"rocksdb.{name}") for name in _BUSY):
        time.sleep(0.005)
    time.sleep(0.03)
    shutil.copytree(store.folder, target)


def _put_back(left: Path, synced: Path, chance: random.Random) -> None:
    for log in left.glob("*.log"):
        pages = bytearray(log.read_bytes())
        before = (synced / log.name).read_bytes() if (synced / log.name).exists() else b""
        for start in range(0, len(pages), _PAGE):
            page = pages[start : start + _PAGE]
            old = before[start : start + _PAGE].ljust(len(page), b"\0")
            if old != page and chance.random() < 0.4:
                pages[start : start + _PAGE] = old[: len(page)]
        log.write_bytes(pages)


if __name__ == "__main__":
    main()
