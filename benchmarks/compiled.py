"""Cloudlet as it is measured: installed by pip from this working tree, its hot modules compiled."""

import hashlib
import os
import shutil
import subprocess
import venv
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
_TOLD_LINES = 30


class CannotCompile(Exception):
    """What compiling needs is not there, or it failed; and why."""


def environment(cache: Path, tree: Path) -> Path:
    """Return an environment with Cloudlet as a working tree has it, made in a few minutes. Raises CannotCompile."""
    folder = cache / ("cloudlet" if tree == REPOSITORY else "cloudlet-before")
    done = folder / "installed"
    wanted = _digest(tree)
    if done.exists() and done.read_text() == wanted:
        return folder
    if shutil.which("gcc") is None:
        raise CannotCompile("there is no gcc: see `scripts/environment compiler`")
    print("Compiling Cloudlet: this takes some minutes, once for each state of its sources.", flush=True)
    venv.create(folder, with_pip=True, clear=True)
    install = subprocess.run(
        [folder / "bin" / "pip", "install", "--quiet", f"{tree}[postgres]"],
        env={**os.environ, "HATCH_BUILD_HOOK_ENABLE_CUSTOM": "true"},
        check=False,
        stderr=subprocess.PIPE,
        text=True,
    )
    if install.returncode != 0:
        raise CannotCompile("\n".join(install.stderr.strip().splitlines()[-_TOLD_LINES:]) or "pip failed")
    done.write_text(wanted)
    return folder


def _digest(tree: Path) -> str:
    """What tells one state of the sources from another."""
    digest = hashlib.sha256()
    for path in _sources(tree):
        digest.update(f"{path.relative_to(tree)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _sources(tree: Path) -> Iterator[Path]:
    yield from tree.glob("*.toml")
    yield from tree.glob("*.py")
    yield from sorted(path for path in (tree / "src").rglob("*") if path.is_file() and "__pycache__" not in path.parts)
