"""The cipher of objects that KMS keys protect, by itself: any pieces in, any range out, no changed byte ever."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.services.s3.object_data.data_cipher import DamagedData, DataKey, decrypt_part, encrypt_whole

_CHUNK = 64 << 10
_SIZES = st.one_of(st.integers(0, 300), st.integers(_CHUNK - 2, _CHUNK + 2), st.integers(0, 3 * _CHUNK + 9))
_KEYS = (DataKey(bytes(range(32))), DataKey(bytes(range(32)), bytes(range(1, 33))))


@given(_SIZES, st.lists(st.integers(1, 100_000), max_size=8), st.sampled_from(_KEYS))
def test_how_bytes_are_cut_on_their_way_in_does_not_matter(size: int, cuts: list[int], key: DataKey) -> None:
    data = os.urandom(size)
    cipher, at, stored = key.encrypt("nonce"), 0, b""
    for cut in cuts:
        stored += cipher.update(data[at : at + cut])
        at += cut
    stored += cipher.update(data[at:]) + cipher.finalize()
    assert stored == encrypt_whole(key, "nonce", data)
    assert len(stored) == key.get_range(0, size, size)[1] if size else not stored


@given(_SIZES, st.data(), st.integers(1, 100_000), st.sampled_from(_KEYS))
def test_any_range_is_read_by_its_own_chunks(size: int, data: st.DataObject, cut: int, key: DataKey) -> None:
    whole = os.urandom(size)
    stored = encrypt_whole(key, "nonce", whole)
    start = data.draw(st.integers(0, size))
    end = data.draw(st.integers(start, size))
    assert decrypt_part(key, "nonce", stored, start, end, size) == whole[start:end]
    offset, count = key.get_range(start, end - start, size)
    assert count <= end - start + 2 * _CHUNK + 4 * 16
    cipher, read = key.decrypt("nonce", start, end - start), b""
    for at in range(offset, offset + count, cut):
        read += cipher.update(stored[at : min(at + cut, offset + count)])
    assert read + cipher.finalize() == whole[start:end]


@given(st.integers(1, 2 * _CHUNK), st.data(), st.sampled_from(_KEYS))
def test_a_changed_byte_is_never_answered(size: int, data: st.DataObject, key: DataKey) -> None:
    stored = bytearray(encrypt_whole(key, "nonce", os.urandom(size)))
    stored[data.draw(st.integers(0, len(stored) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(DamagedData):
        decrypt_part(key, "nonce", bytes(stored), 0, size, size)


@pytest.mark.parametrize("key", _KEYS)
def test_what_was_cut_off_or_is_another_ones_is_noticed(key: DataKey) -> None:
    data = os.urandom(2 * _CHUNK)
    stored = encrypt_whole(key, "nonce", data)
    chunk = _CHUNK + 16
    for damaged in (stored[:-1], stored[:chunk], stored[chunk:] + stored[:chunk], b""):
        with pytest.raises(DamagedData):
            decrypt_part(key, "nonce", damaged, 0, len(data), len(data))
    with pytest.raises(DamagedData):
        decrypt_part(key, "another", stored, 0, len(data), len(data))
