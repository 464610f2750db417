"""Builds a wheel whose hot modules are compiled, where that is asked for.

    HATCH_BUILD_HOOK_ENABLE_CUSTOM=true pip wheel --no-deps .

The modules are listed in pyproject.toml, and compiled by mypyc; what is listed together becomes one library. They are
compiled twice: the second time gcc knows from hatch_training.py what runs how often. What may be listed, and what all
this is good for: docs/decisions/0012-compiled-modules.md.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeGuard

_ROOT = Path(__file__).parent
_SOURCES = _ROOT / "src"
_PACKAGE = _SOURCES / "cloudlet"

_COUNTING = ["-fprofile-generate"]
_COUNTED = ["-fprofile-use", "-fprofile-partial-training", "-Wno-missing-profile", "-Wno-error"]
"""What never ran is optimised as it would be without counts, and that there are none of it is no error."""


def modules_of(names: Sequence[str]) -> list[Path]:
    """Return modules by their paths in the package. Raises ValueError where one is missing, or cannot be compiled."""
    modules = [_PACKAGE / name for name in names]
    for module in modules:
        if not module.exists():
            raise ValueError(f"there is no module {module}")
        check(module)
    return modules


def check(module: Path) -> None:
    """Raise ValueError for a class or a property that would be another one if it was compiled.

    mypyc drops, without a word, what a class says besides its bases (`array_like=True`) and what its lists and
    dictionaries have: so msgspec would read and write other records. A cached property is computed each time. While
    what handles an exception waits (as the end of a group of tasks does), others take that exception for theirs.
    """
    text = module.read_text()
    if "cached_property" in text:
        raise ValueError(f"{module} cannot be compiled: its cached properties would not be cached")
    for node in ast.walk(ast.parse(text)):
        if _waits_while_it_handles(node):
            raise ValueError(f"{module} cannot be compiled: line {node.lineno} waits while it handles an exception")
        if isinstance(node, ast.ClassDef) and not _is_typed_dict(node):
            if node.keywords:
                raise ValueError(f"{module} cannot be compiled: class {node.name} says more than its bases")
            if any(ast.unparse(base).endswith("Struct") for base in node.bases):
                raise ValueError(f"{module} cannot be compiled: class {node.name} is a record")


def listed() -> dict[str, list[str]]:
    """Return the modules to compile, by the name of their library."""
    told: Any = tomllib.loads((_ROOT / "pyproject.toml").read_text())
    hooks = told["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]
    modules: dict[str, list[str]] = hooks["custom"]["modules"]
    return modules


def _waits_while_it_handles(node: ast.AST) -> TypeGuard[ast.Try | ast.AsyncWith]:
    """Whether a statement waits in `except` or `finally`, or for the end of tasks, one of which may have failed."""
    if isinstance(node, ast.AsyncWith):
        return any("TaskGroup" in ast.unparse(item.context_expr) for item in node.items)
    return isinstance(node, ast.Try) and any(map(_waits, [*(each.body for each in node.handlers), node.finalbody]))


def _waits(body: Sequence[ast.AST]) -> bool:
    """Whether statements wait for something, but for those of functions that are only made there."""
    todo = list(body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Await | ast.Yield | ast.YieldFrom | ast.AsyncFor | ast.AsyncWith):
            return True
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            todo += ast.iter_child_nodes(node)
    return False


def _is_typed_dict(node: ast.ClassDef) -> bool:
    """Whether what a class says is for type checkers alone."""
    return any(isinstance(base, ast.Name) and base.id == "TypedDict" for base in node.bases)


def compile_trained(out: Path) -> None:
    """Compile the modules to libraries below `out`/lib, optimised by what runs how often. Raises CalledProcessError.

    Each step is a process of its own: mypyc keeps much in memory, and what is counted is written at an end.
    """
    compiling = [sys.executable, __file__, str(out), "2"]
    subprocess.run([*compiling, *_COUNTING], check=True)
    counting = out / "counting"
    shutil.copytree(_PACKAGE, counting / "cloudlet")
    shutil.copytree(out / "lib", counting, dirs_exist_ok=True)
    # What pip builds in an environment of its own has the path to that there.
    path = os.pathsep.join(filter(None, [str(counting), os.environ.get("PYTHONPATH")]))
    training = [sys.executable, str(_ROOT / "hatch_training.py")]
    subprocess.run(training, check=True, env={**os.environ, "PYTHONPATH": path})
    subprocess.run([*compiling, *_COUNTED], check=True)


def compile_modules(out: Path, level: str = "2", *options: str) -> None:
    """Compile the modules to libraries below `out`/lib. `level`: how far gcc optimises, as its option -O has it.

    `options` are more for gcc; then all is compiled, else what has changed.
    """
    from setuptools import setup  # noqa: I001 - before mypyc, which wants the distutils that this brings

    from mypyc.build import mypycify

    os.chdir(_SOURCES)
    libraries = [
        ([str(module.relative_to(_SOURCES)) for module in modules_of(names)], f"cloudlet_{name}")
        for name, names in listed().items()
    ]
    checked = ["--config-file", str(_ROOT / "pyproject.toml"), "--cache-dir", str(out / "cache")]
    extensions = mypycify(
        [*checked, *(module for modules, _ in libraries for module in modules)],
        opt_level=level,
        debug_level="0",
        separate=libraries,
        target_dir=str(out / "c"),
    )
    for extension in extensions:
        # Calls within a library need not ask the loader, and can be inlined.
        extension.extra_compile_args = [*extension.extra_compile_args, "-fvisibility=hidden", *options]
        extension.extra_link_args = [*extension.extra_link_args, *options]
    folders = ["--build-lib", str(out / "lib"), "--build-temp", str(out / "objects")]
    setup(
        name="cloudlet",
        ext_modules=extensions,
        script_args=["build_ext", *folders, "--parallel", str(os.cpu_count() or 1), *(["--force"] if options else [])],
    )


def compile_envoy_module(folder: Path) -> Path:
    """Compile our module for Envoy to a library in a folder. Raises OSError and CalledProcessError."""
    source = _PACKAGE / "engines" / "envoy" / "trace_ids.c"
    library = folder / f"lib{source.stem}.so"
    folder.mkdir(parents=True, exist_ok=True)
    options = ["-O2", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([os.environ.get("CC", "cc"), *options, "-o", str(library), str(source)], check=True)
    return library


if __name__ == "__main__":
    compile_envoy_module(Path(sys.argv[1]).absolute() / "lib" / "cloudlet" / "engines" / "envoy")
    compile_modules(Path(sys.argv[1]).absolute(), *sys.argv[2:])
else:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface

    class CompiledModules(BuildHookInterface[Any]):
        """Puts compiled modules into the wheel, beside their sources."""

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            if version == "editable":
                # Nobody would compile them again when their sources change.
                return
            self._folder = TemporaryDirectory()
            out = Path(self._folder.name)
            compile_trained(out)
            for library in (out / "lib").rglob("*.so"):
                build_data["force_include"][str(library)] = str(library.relative_to(out / "lib"))
            build_data["pure_python"] = False
            build_data["infer_tag"] = True

        def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
            if version != "editable":
                self._folder.cleanup()
