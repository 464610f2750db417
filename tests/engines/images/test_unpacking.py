"""Layers are put over one another, and nothing of them is elsewhere."""

from __future__ import annotations

import gzip
import hashlib
import os
import stat
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.engines.images import Folder, ImageError, Platform, resolve, resolve_path, unpack
from tests.engines.images.layouts import Layout, archive, entry, folder, hard, link
from tests.sizes import examples

AMD = Platform("linux", "amd64")


def unpacked(tmp_path: Path, *layers: bytes, **more: Any) -> Path:
    """Return the folder that an image of layers is unpacked to."""
    layout = Layout(tmp_path / "layout")
    layout.image(*layers, **{key: more.pop(key) for key in ("stored",) if key in more})
    root = tmp_path / "unpacked" / "root"
    unpack(Folder(layout.path), resolve(layout.path, AMD), root, **more)
    return root


def tree(root: Path) -> dict[str, str]:
    """Return what is below a folder: the content of files, `->` and the target of links, "" for folders."""
    found = {}
    for path in sorted(root.rglob("*")):
        shown = f"-> {path.readlink()}" if path.is_symlink() else path.read_text() if path.is_file() else ""
        found[str(path.relative_to(root))] = shown
    return found


def test_files_folders_and_links_are_as_the_layer_says(tmp_path: Path) -> None:
    root = unpacked(
        tmp_path,
        archive(
            folder("./", mode=0o700),
            folder("bin", mode=0o555, mtime=5),
            entry("bin/run", b"run", mode=0o4755),
            entry("./etc/shadow", b"", mode=0),
            link("sh", "/bin/run"),
            hard("also", "bin/run"),
            hard("too", "/sh"),
            entry("zero", kind=tarfile.CHRTYPE),
            entry("pipe", kind=tarfile.FIFOTYPE),
            entry("a/b/c", b"deep", mtime=1.5),
        ),
    )
    assert tree(root) == {
        "a": "",
        "a/b": "",
        "a/b/c": "deep",
        "also": "run",
        "bin": "",
        "bin/run": "run",
        "etc": "",
        "etc/shadow": "",
        "sh": "-> /bin/run",
        "too": "-> /bin/run",
    }
    # Without set-user-id, and so that whoever unpacks can read and remove it.
    modes = {name: oct(stat.S_IMODE((root / name).stat().st_mode)) for name in ("bin", "bin/run", "etc/shadow", "a")}
    assert modes == {"bin": "0o755", "bin/run": "0o755", "etc/shadow": "0o400", "a": "0o755"}
    assert (root / "also").samefile(root / "bin/run")
    assert ((root / "bin").stat().st_mtime, (root / "a/b/c").stat().st_mtime) == (5, 1.5)


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_and_large_numbers_are_read_in_every_format(tmp_path: Path, format: int) -> None:
    name = "/".join(["folder" * 8] * 4 if format != tarfile.USTAR_FORMAT else ["folder" * 4] * 6)
    target = "x" * (99 if format == tarfile.USTAR_FORMAT else 300)
    root = unpacked(tmp_path, archive(entry(name, b"deep", mtime=8_000_000_000), link("link", target), format=format))
    assert (root / name).read_text() == "deep"
    assert str((root / "link").readlink()) == target
    assert (root / name).stat().st_mtime == 8_000_000_000


def test_a_layer_hides_what_is_below_and_nothing_of_its_own(tmp_path: Path) -> None:
    below = archive(
        entry("a/old", b"1"), entry("a/sub/old", b"1"), entry("b/old", b"1"), entry("c", b"1"), entry("d/old", b"1")
    )
    over = archive(
        entry("a/new", b"2"),
        entry("a/sub/new", b"2"),
        entry("a/.wh..wh..opq"),
        entry(".wh.b"),
        entry("c", b"2"),
        entry(".wh.c"),
        entry("d/new", b"2"),
        entry(".wh.d"),
        entry(".wh.missing"),
        entry(".wh..wh.plnk/1", b"of AUFS"),
        entry(".wh..wh.aufs", b"of AUFS"),
    )
    assert tree(unpacked(tmp_path, below, over)) == {
        "a": "",
        "a/new": "2",
        "a/sub": "",
        "a/sub/new": "2",
        "c": "2",
        "d": "",
        "d/new": "2",
    }


def test_what_a_layer_has_takes_the_place_of_what_is_below(tmp_path: Path) -> None:
    below = archive(
        entry("file", b"1"),
        entry("folder/inner", b"1"),
        link("link", "folder"),
        entry("kept/x", b"1"),
        hard("twin", "file"),
    )
    over = archive(
        folder("file"),
        entry("folder", b"2"),
        folder("link"),
        folder("kept", mode=0o700),
        entry("kept/y", b"2"),
    )
    assert tree(unpacked(tmp_path, below, over)) == {
        "file": "",
        "folder": "2",
        "kept": "",
        "kept/x": "1",
        "kept/y": "2",
        "link": "",
        "twin": "1",
    }


def test_a_file_that_is_written_anew_leaves_its_twin_alone(tmp_path: Path) -> None:
    root = unpacked(tmp_path, archive(entry("a", b"1"), hard("b", "a")), archive(entry("a", b"2")))
    assert tree(root) == {"a": "2", "b": "1"}


def test_links_are_followed_below_the_root(tmp_path: Path) -> None:
    """As in images where /bin is a link to /usr/bin, and whatever a link says that would lead out."""
    outside = tmp_path / "outside"
    outside.mkdir()
    root = unpacked(
        tmp_path,
        archive(
            folder("usr/bin"),
            link("bin", "/usr/bin"),
            entry("bin/sh", b"sh"),
            link("up", "../../../../.."),
            entry("up/here", b"here"),
            link("out", str(outside)),
            entry("out/file", b"inside"),
            hard("bin/bash", "bin/sh"),
        ),
        archive(entry("bin/.wh.sh"), link("bin/self", "self2"), link("loop", "loop")),
    )
    assert list(outside.iterdir()) == []
    assert tree(root / "usr") == {"bin": "", "bin/bash": "sh", "bin/self": "-> self2"}
    assert (root / "here").read_text() == "here"
    assert (root / str(outside)[1:] / "file").read_text() == "inside"
    assert resolve_path(root, "/up/bin/./bash") == root / "usr/bin/bash"
    with pytest.raises(ImageError, match="too many links"):
        resolve_path(root, "/loop/x")


FILE = entry("file", b"content")


@pytest.mark.parametrize(
    "layer",
    [
        archive(entry("../x", b"")),
        archive(entry("a/../../x", b"")),
        archive(entry("a/..", b"")),
        archive(entry("x" * 300, b"")),
        archive(entry("/".join("x" * 300), b"")),
        archive(FILE, entry("file/below", b"")),
        archive(link("loop", "loop"), entry("loop/x", b"")),
        archive(hard("x", "../../../etc/passwd")),
        archive(hard("x", "/etc/hostname")),
        archive(link("etc", "/../../etc"), hard("x", "etc/hostname")),
        archive(folder("a"), hard("x", "a")),
        archive(hard("x", "missing")),
        archive(link("x", "")),
        archive(entry(".wh.", b"")),
        archive(entry(".wh.a/x", b"")),
        archive(entry(".wh...", b"")),
        archive(entry("x", kind=b"V")),
        archive(entry("x", kind=tarfile.GNUTYPE_SPARSE)),
        archive(entry("x", pax_headers={"GNU.sparse.major": "1"})),
        archive(entry("x", pax_headers={"size": "-1"})),
        archive(entry("x", pax_headers={"size": "x"})),
        archive(entry("x", pax_headers={"path": "a\0b"})),
        archive(entry("x", pax_headers={"path": "y" * (2 << 20)})),
        archive(FILE)[:700],
        b"x" * 512,
        gzip.compress(b"twice", mtime=0)[:-4],
    ],
    ids=lambda layer: hashlib.sha256(layer).hexdigest()[:8],
)
def test_hostile_layers_are_refused_and_leave_nothing(tmp_path: Path, layer: bytes) -> None:
    stored = [layer if layer.startswith(b"\x1f\x8b") else gzip.compress(layer)]
    with pytest.raises(ImageError):
        unpacked(tmp_path, layer, stored=stored)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["layout", "unpacked"]
    assert list((tmp_path / "unpacked").iterdir()) == []


def test_what_is_unpacked_has_a_limit_however_small_it_is_packed(tmp_path: Path) -> None:
    zeros = bytes(8 << 20)
    with pytest.raises(ImageError, match="larger than"):
        unpacked(tmp_path, archive(entry("a", zeros)), archive(entry("b", zeros)), limit=12 << 20)
    # What comes behind the end of an archive is read, too.
    with pytest.raises(ImageError, match="larger than"):
        unpacked(tmp_path / "2", archive(FILE) + zeros + zeros, limit=12 << 20)


def test_a_layer_is_what_its_digests_say(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="not what the configuration says"):
        unpacked(tmp_path, archive(FILE), stored=[gzip.compress(archive(entry("other", b"")))])


def test_layers_are_compressed_or_not(tmp_path: Path) -> None:
    layer = archive(FILE)
    half = len(layer) // 2
    members = gzip.compress(layer[:half]) + gzip.compress(layer[half:])
    for number, stored in enumerate((layer, gzip.compress(layer), members)):
        assert tree(unpacked(tmp_path / str(number), layer, stored=[stored])) == {"file": "content"}


def test_what_finishes_an_unpacked_image_comes_before_its_name(tmp_path: Path) -> None:
    def finish(root: Path) -> None:
        assert not (tmp_path / "unpacked" / "root").exists()
        (root / "proc").mkdir()

    assert tree(unpacked(tmp_path, archive(FILE), finish=finish)) == {"file": "content", "proc": ""}


def test_unpacking_a_second_time_leaves_the_first_alone(tmp_path: Path) -> None:
    root = unpacked(tmp_path, archive(FILE))
    with pytest.raises(OSError, match="not empty"):
        unpacked(tmp_path, archive(FILE))
    assert tree(root) == {"file": "content"}
    assert [each.name for each in root.parent.iterdir()] == ["root"]


@pytest.mark.parametrize("target", ["b", "outside"])
def test_a_folder_whose_place_a_link_has_taken_is_not_looked_for_through_it(tmp_path: Path, target: str) -> None:
    outside = tmp_path / "outside" / "a"
    outside.mkdir(parents=True)
    os.utime(outside, (1_000_000_000, 1_000_000_000))
    leads = "b" if target == "b" else str(outside.parent)
    root = unpacked(tmp_path, archive(folder("b/a"), link("b", leads)))
    assert (root / "b").is_symlink()
    assert outside.stat().st_mtime == 1_000_000_000


NAMES = st.sampled_from(
    ["a", "b", "a/b", "b/a", "a/b/c", "c/a", ".wh.a", "a/.wh.b", "b/.wh..wh..opq", "..", "./c", "/a/c"]
)
TARGETS = st.sampled_from(["a", "b", "/c", "../..", "a/b", ".", "/", "../../../../tmp", "c/../.."])
ENTRIES = st.one_of(
    st.builds(entry, NAMES, st.sampled_from([b"", b"content", b"x" * 600])),
    st.builds(folder, NAMES),
    st.builds(link, NAMES, TARGETS),
    st.builds(hard, NAMES, TARGETS),
)


@settings(max_examples=examples(150))
@given(layers=st.lists(st.lists(ENTRIES, max_size=8), min_size=1, max_size=3))
def test_whatever_is_in_layers_stays_below_the_root(tmp_path: Path, layers: list[Any]) -> None:
    inside = Path(tempfile.mkdtemp(dir=tmp_path))
    try:
        root = unpacked(inside, *(archive(*layer) for layer in layers))
    except ImageError:
        assert list((inside / "unpacked").iterdir()) == []
    else:
        assert [each.name for each in (inside / "unpacked").iterdir()] == ["root"]
        assert not [path for path in root.rglob("*") if path.name.startswith(".wh.")]
    assert sorted(each.name for each in inside.iterdir()) == ["layout", "unpacked"]
    assert not os.path.lexists(tmp_path / "a")


@settings(max_examples=examples(150))
@given(data=st.data())
def test_archives_that_are_damaged_anywhere_are_refused_or_read(tmp_path: Path, data: st.DataObject) -> None:
    whole = bytearray(archive(folder("a"), entry("a/" + "n" * 200, b"x" * 700), link("l", "a"), hard("h", "a/x")))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    inside = Path(tempfile.mkdtemp(dir=tmp_path))
    try:
        unpacked(inside, bytes(whole), stored=[bytes(whole)])
    except ImageError:
        assert list((inside / "unpacked").iterdir()) == []


def test_without_zstd_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloudlet.engines.images.layer_compression._ZSTD_MODULES", ())
    layer = archive(FILE)
    with pytest.raises(ImageError, match="need Python"):
        unpacked(tmp_path, layer, stored=[b"\x28\xb5\x2f\xfd" + layer])
