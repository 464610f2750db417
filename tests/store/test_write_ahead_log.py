"""The write-ahead log gives back what was appended, and no part of what a loss of power has torn."""

from __future__ import annotations

import errno
import itertools
import os
import random
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from rocksdict import Options

from cloudlet.store import rocks
from cloudlet.store.rocks import OrderedMap
from cloudlet.store.write_ahead_log import WriteAheadLog
from tests.sizes import examples

BLOCK = 4096
HEADER = 24
SEGMENT = 16 * BLOCK
KEYS = st.sampled_from([b"a", b"b", b"c", b"d", b"e"])


class Log(RuleBasedStateMachine):
    """A log, beside a list of what was appended and a number up to which all is safe elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.holder = TemporaryDirectory(dir=Path.cwd())
        self.folder = Path(self.holder.name)

    @initialize()
    def open(self) -> None:
        self.log = WriteAheadLog(self.folder, SEGMENT)
        self.appended: dict[int, bytes] = {}
        self.number = self.safe = 0
        self.at_turn: list[int] = []

    @rule(size=st.one_of(st.integers(0, 3 * BLOCK), st.sampled_from([SEGMENT, 5 * SEGMENT])))
    def append(self, size: int) -> None:
        self.number += 1
        payload = random.Random(self.number).randbytes(size)
        turns = self.log.append(self.number, payload)
        self.appended[self.number] = payload
        if turns:
            # All before this one are in full segments.
            self.at_turn.append(self.number - 1)

    @precondition(lambda self: self.log.count_full_segments[0] > 0)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        count = data.draw(st.integers(1, self.log.count_full_segments[0]))
        first = len(self.at_turn) - self.log.count_full_segments[0]
        self.safe = max(self.safe, self.at_turn[first + count - 1])
        self.log.release(count)

    @rule()
    def prepare(self) -> None:
        self.log.preallocate()

    @rule(torn=st.booleans(), seed=st.integers(0, 2**32 - 1))
    def lose_power(self, torn: bool, seed: int) -> None:
        """Open it again as it is, perhaps with some blocks of one more record."""
        chance = random.Random(seed)
        if torn:
            before = {path: path.read_bytes() for path in self.folder.iterdir()}
            self.log.append(self.number + 1, chance.randbytes(chance.randint(1, 40) * BLOCK - HEADER))
            self.log.close(remove=False)
            _tear(self.folder, before, chance)
        else:
            self.log.close(remove=False)
        self.log = WriteAheadLog(self.folder, SEGMENT)
        payloads, last = self.log.list_recovered(self.safe)
        expected = [self.appended[number] for number in range(max(self.safe, 1), self.number + 1)]
        # The record that is safe may have gone with its segment.
        assert payloads in (expected, expected[1:])
        assert last <= self.number
        assert not expected[1:] or last == self.number
        self.safe = self.number
        self.at_turn = []

    @invariant()
    def few_files(self) -> None:
        assert len(list(self.folder.iterdir())) <= len(self.appended) + 2

    def teardown(self) -> None:
        self.log.close(remove=True)
        assert not list(self.folder.iterdir())
        self.holder.cleanup()


def _tear(folder: Path, before: dict[Path, bytes], chance: random.Random) -> None:
    """Put some of the blocks that the last record wrote back as they were, one at least."""
    changed = []
    for path in folder.iterdir():
        old, new = before.get(path, b""), path.read_bytes()
        for at in range(0, len(new), BLOCK):
            block = old[at : at + BLOCK].ljust(BLOCK, b"\0")
            if new[at : at + BLOCK] != block:
                changed.append((path, at, block))
    for path, at, block in chance.sample(changed, chance.randint(1, len(changed))):
        with path.open("r+b") as file:
            file.seek(at)
            file.write(block)


TestLog = Log.TestCase
TestLog.settings = settings(max_examples=examples(60), stateful_step_count=40)


class Rows(RuleBasedStateMachine):
    """Rows that are killed now and then, beside what they were after each write."""

    def __init__(self) -> None:
        super().__init__()
        self.holder = TemporaryDirectory(dir=Path.cwd())
        self.folders = (Path(self.holder.name) / str(number) for number in itertools.count())

    @initialize()
    def open(self) -> None:
        self.rows = OrderedMap(next(self.folders))
        self.states: list[dict[bytes, bytes]] = [{}]
        self.synced = 0

    @rule(
        changes=st.dictionaries(KEYS, st.one_of(st.none(), st.binary(max_size=100)), max_size=4),
        cleared=st.lists(st.tuples(KEYS, KEYS).map(sorted).map(tuple), max_size=1),
        large=st.booleans(),
    )
    def write(self, changes: dict[bytes, bytes | None], cleared: list[tuple[bytes, bytes]], large: bool) -> None:
        if large:
            changes[b"large"] = random.Random(len(self.states)).randbytes(SEGMENT // 2)
        self.rows.write(changes, cleared)
        state = {k: v for k, v in self.states[-1].items() if not any(low <= k < high for low, high in cleared)}
        state.update((k, v) for k, v in changes.items() if v is not None)
        self.states.append({k: v for k, v in state.items() if changes.get(k, v) is not None})

    @rule()
    def sync(self) -> None:
        self.rows.sync(self.rows.unsynced())
        self.synced = len(self.states) - 1

    @rule()
    def flush(self) -> None:
        """RocksDB may do so at any time."""
        self.rows._db.flush(True)

    @rule(stays=st.booleans())
    def kill(self, stays: bool) -> None:
        """Go on with what was on disk when it was killed; or once more with what it was killed with, when it starts."""
        tidied(self.rows)
        killed = self.rows
        for _ in range(2 if stays else 1):
            folder = next(self.folders)
            shutil.copytree(killed.folder, folder)
            killed.close()
            self.rows = killed = OrderedMap(folder)
        found = dict(self.rows.scan(b"", b"\xff", 1000, 0)[0])
        assert found in self.states[self.synced :]
        self.states = [found]
        self.synced = 0

    def teardown(self) -> None:
        self.rows.close()
        self.holder.cleanup()


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also, files that are copied keep still: those that are merged meanwhile are no state that a disk ever had."""
    ordinary = rocks.options

    def unmerged() -> Options:
        options = ordinary()
        options.set_disable_auto_compactions(True)
        return options

    monkeypatch.setattr(rocks, "_SEGMENT_BYTES", SEGMENT)
    monkeypatch.setattr(rocks, "options", unmerged)


TestRows = Rows.TestCase
TestRows.pytestmark = [pytest.mark.interpreted]
TestRows.settings = settings(max_examples=examples(40), stateful_step_count=40)


def sync(rows: OrderedMap, changes: dict[bytes, bytes | None]) -> None:
    rows.write(changes, [])
    rows.sync(rows.unsynced())


def tidied(rows: OrderedMap) -> None:
    """Wait until nothing goes on beside the writes."""
    if rows._tidier is not None:
        rows._tidier.submit(lambda: None).result()


def test_who_writes_little_has_a_small_log_and_a_clean_end_leaves_none(tmp_path: Path) -> None:
    rows = OrderedMap(tmp_path)
    sync(rows, {b"key": b"value"})
    tidied(rows)
    assert len(list(tmp_path.glob("journal-*"))) == 1
    rows.close()
    assert not list(tmp_path.glob("journal-*"))
    again = OrderedMap(tmp_path)
    assert again.get(b"key") == b"value"
    again.close()


def test_what_is_killed_is_there_even_where_the_next_one_is_not_durable(tmp_path: Path) -> None:
    rows = OrderedMap(tmp_path / "killed")
    sync(rows, {b"key": b"value"})
    shutil.copytree(tmp_path / "killed", tmp_path / "left")
    rows.close()
    for durable in (False, True):
        again = OrderedMap(tmp_path / "left", durable=durable)
        assert again.get(b"key") == b"value"
        again.close()


@pytest.mark.interpreted
def test_segments_are_used_again(tmp_path: Path) -> None:
    rows = OrderedMap(tmp_path)
    for number in range(400):
        sync(rows, {b"key": random.Random(number).randbytes(2000)})
    tidied(rows)
    journals = list(tmp_path.glob("journal-*"))
    assert sum(path.stat().st_size for path in journals) < 400 * BLOCK // 2
    rows.close()


@pytest.mark.parametrize("refused", ["open", "pwrite"])
def test_a_file_system_may_know_no_way_past_its_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    ways: dict[int, int] = {}
    opened, written = os.open, os.pwrite

    def unable(path: Path, flags: int, *more: int) -> int:
        if refused == "open" and flags & os.O_DIRECT:
            raise OSError(errno.EINVAL, "Invalid argument")
        descriptor = opened(path, flags, *more)
        ways[descriptor] = flags & os.O_DIRECT
        return descriptor

    def unwilling(descriptor: int, data: memoryview, at: int) -> int:
        if refused == "pwrite" and ways[descriptor]:
            raise OSError(errno.EINVAL, "Invalid argument")
        return written(descriptor, data, at)

    monkeypatch.setattr("cloudlet.store.write_ahead_log.os.open", unable)
    monkeypatch.setattr("cloudlet.store.write_ahead_log.os.pwrite", unwilling)
    log = WriteAheadLog(tmp_path, SEGMENT)
    log.append(1, b"one")
    log.close(remove=False)
    again = WriteAheadLog(tmp_path, SEGMENT)
    assert again.list_recovered(0) == ([b"one"], 1)
    again.append(2, b"two")
    again.close(remove=True)


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be done in advance is no reason to fail; what cannot be written is."""
    rows = OrderedMap(tmp_path)
    sync(rows, {b"key": b"value"})

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patches:
        patches.setattr("cloudlet.store.write_ahead_log.os.pwrite", full)
        rows.write({b"key": b"other"}, [])
        with pytest.raises(OSError, match="No space"):
            rows.sync(rows.unsynced())
        assert rows._log is not None
        rows._tidy(rows._log)
    rows.close()
    again = OrderedMap(tmp_path)
    assert again.get(b"key") in (b"value", b"other")
    again.close()
