#!/usr/bin/env python3
"""Print the test files that a change can reach, one a line; `scripts/test changed` runs them.

    scripts/affected.py [--base REV] [FILE…]

The change is what differs from where this branch left main, committed or not; or from REV; or the files given. What is
chosen, and what is not: docs/how-it-is-tested.md, "What a change reaches".
"""

from __future__ import annotations

import ast
import gc
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
SERVICES: Final = "cloudlet.services."

QUICK: Final = {
    "acm": "test_requests.py",
    "apigateway": "test_routes.py",
    "application_autoscaling": "test_targets.py",
    "appmesh": "test_resources.py",
    "cloudcontrol": "test_resources.py",
    "cloudformation": "test_stacks.py",
    "cloudtrail": "test_history.py",
    "cloudwatch": "test_metric_data.py",
    "dynamodb": "test_items.py",
    "ec2": "test_subnets.py",
    "ecr": "test_images.py",
    "ecs": "test_definitions.py",
    "elbv2": "test_rules.py",
    "events": "test_buses_and_rules.py",
    "iam": "test_users.py",
    "kms": "test_keys.py",
    "lambda_": "test_functions.py",
    "logs": "test_groups.py",
    "pipes": "test_pipes.py",
    "route53": "test_record_sets.py",
    "s3": "test_objects.py",
    "scheduler": "test_schedules.py",
    "secretsmanager": "test_secrets.py",
    "servicediscovery": "test_instances.py",
    "sns": "test_publish.py",
    "sqs": "test_client.py",
    "sts": "test_trust.py",
    "ssm": "test_parameters.py",
    "xray": "test_segments.py",
}
"""A quick file of each block's tests: the sample, where a change reaches everything."""

OBSERVERS: Final = "cloudlet.core.telemetry.observers"

LONG: Final = {
    "tests/crash/test_damaged_data.py",
    "tests/crash/test_server_crash.py",
    "tests/e2e/test_shop.py",
    "tests/examples/test_shop.py",
    "tests/isolation/test_blocks.py",
    "tests/postgres/test_failures.py",
    "tests/postgres/test_replicas.py",
    "tests/services/lambda_/test_asynchronous.py",
    "tests/services/lambda_/test_faults.py",
    "tests/services/lambda_/test_invoke.py",
    "tests/services/lambda_/test_polling.py",
    "tests/services/lambda_/test_surroundings.py",
}
"""Files that take more than half a minute: that they name a changed block is not enough to choose them."""

_MANY: Final = 1 / 3
"""A change reaches everything where it reaches more than this share of the blocks."""

_ELSEWHERE: Final = {
    "README.md": "tests/e2e/test_documented_blocks.py",
    "docs/clients.md": "tests/e2e/test_documented.py",
    "docs/coverage.md": "tests/cli/test_commands.py",
    "docs/from-moto.md": "tests/examples/test_documented.py",
    "docs/index.md": "tests/e2e/test_documented_blocks.py",
    "docs/services/": "tests/e2e/test_documented_blocks.py",
    "docs/testing.md": "tests/examples/test_documented.py",
    "examples/": "tests/examples",
    "examples/shop/": "tests/e2e/test_shop.py",
    "hatch_": "tests/test_build.py",
    "pyproject.toml": "tests/test_build.py",
    "scripts/affected.py": "tests/test_affected.py",
    "src/cloudlet/core/authorization/": "tests/authorization",
    "src/cloudlet/edge/domains": "tests/isolation",
    "src/cloudlet/edge/fleet": "tests/isolation",
    "src/cloudlet/edge/isolation": "tests/isolation",
    "src/cloudlet/store/postgres": "tests/postgres",
}
"""Tests that are not in the folder that mirrors what they test, by how the path of that begins."""


_WHOLE_SERVERS: Final = ("crash", "e2e", "examples", "isolation", "jobs", "postgres", "property")
"""The folders of tests that run whole servers; they depend on the blocks that they name."""


def closure(start: Iterable[Any], following: Callable[[Any], Iterable[Any]]) -> set[Any]:
    """Return what is reached from some things, themselves among it."""
    found, left = set(start), list(start)
    while left:
        new = set(following(left.pop())) - found
        found |= new
        left += new
    return found


def _texts(node: ast.AST) -> Iterator[str]:
    """Find texts that may name a service; keys of dictionaries, as in `event["events"]`, do not."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    is_lookup = isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("get", "pop")
    for name, value in ast.iter_fields(node):
        if isinstance(node, ast.JoinedStr) or name in ("slice", "keys") or (is_lookup and name == "args"):
            continue
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, ast.AST):
                yield from _texts(each)


class Module:
    """A module of src/ or tests/: what it imports, and what its statements use."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.is_test = path.startswith("tests/") and Path(path).name.startswith("test_")
        self.text = (ROOT / path).read_text()

    def parse(self) -> ast.Module:
        """Return its tree, which is not kept: those of all modules take more than a gigabyte."""
        return ast.parse(self.text)

    @cached_property
    def imported(self) -> dict[str, str]:
        """The full names of what is imported of Cloudlet and its tests, by the names here."""
        found: dict[str, str] = {}
        # Expressions, which are most of a tree, import nothing.
        blocks = (ast.stmt, ast.excepthandler, ast.match_case)
        for node in closure(
            [self.parse()], lambda node: (it for it in ast.iter_child_nodes(node) if isinstance(it, blocks))
        ):
            if isinstance(node, ast.Import | ast.ImportFrom):
                module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
                found |= {each.asname or each.name: module + each.name for each in node.names}
        return {name: whole for name, whole in found.items() if whole.startswith(("cloudlet.", "tests."))}

    @cached_property
    def statements(self) -> dict[str, tuple[set[str], set[str]]]:
        """The names and the texts that each statement of the top level uses, by the name that it defines."""
        found = {}
        for number, top in enumerate(self.parse().body):
            target = top.targets[0] if isinstance(top, ast.Assign) else getattr(top, "target", None)
            name = str(getattr(target, "id", None) or getattr(top, "name", f"statement {number}"))
            names = {str(getattr(node, "id", getattr(node, "arg", None))) for node in ast.walk(top)}
            found[name] = names, set(_texts(top))
        return found


class Tree:
    """All modules, and which depend on which."""

    def __init__(self) -> None:
        self.modules: dict[str, Module] = {}
        for file in sorted(each for folder in ("src", "tests") for each in (ROOT / folder).rglob("*.py")):
            if "node_modules" not in file.parts:
                path = str(file.relative_to(ROOT))
                self.modules[module_of(path)] = Module(path)
        self.left: set[str] = set()
        """Tests that would have been chosen, did they not take long."""
        self.tests = sorted(each.path for each in self.modules.values() if each.is_test)
        self.blocks = sorted({name.split(".")[2] for name in self.modules if name.startswith(SERVICES)})
        self.models = {block.rstrip("_").replace("_", "-"): block for block in self.blocks}
        """The blocks that answer for AWS's models, by the names of those."""
        for node in ast.walk(self.modules["cloudlet.core.kernel.models"].parse()):
            if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "_ANSWERED_BY" and node.value:
                self.models |= {model: self.models[name] for model, name in ast.literal_eval(node.value).items()}
        self.imports = {name: set(map(self.home, each.imported.values())) for name, each in self.modules.items()}
        self.importers: dict[str, set[str]] = {name: set() for name in self.modules}
        for name, homes in self.imports.items():
            for home in homes:
                self.importers[home].add(name)

    def home(self, name: str) -> str:
        """Return the module that defines what is imported by a name, which a package may only hand on."""
        while name not in self.modules:
            package, _, last = name.rpartition(".")
            name = self.modules[package].imported.get(last, package) if package in self.modules else package
        return name

    @cache  # noqa: B019
    def called_by(self, block: str) -> set[str]:
        """Return the blocks that one calls, by literal names; all, where it calls what is named at run time."""
        found: set[str] = set()
        own = [name for name in self.modules if f"{name}.".startswith(f"{SERVICES}{block}.")]
        # What observes its calls tells others of them.
        for name in closure([*own, OBSERVERS], lambda name: self.imports[name]):
            module = self.modules[name]
            for node in ast.walk(module.parse()) if ".call(" in module.text else ():
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "call":
                    owner = getattr(node.func.value, "attr", getattr(node.func.value, "id", ""))
                    if node.args and owner.lstrip("_") in ("block", "cloud", "ctx"):
                        service = getattr(node.args[0], "value", None)
                        if service in self.models:
                            found.add(self.models[service])
                        elif name in own and not isinstance(node.args[0], ast.Constant):
                            return set(self.blocks)
        return found

    @cache  # noqa: B019
    def named_by(self, test: str) -> set[str]:
        """Return the blocks that a file of tests names, itself or in the helpers and fixtures that it uses."""
        folders = [str(folder / "conftest.py") for folder in Path(test).parents[:-1]]
        fixtures = [module_of(path) for path in folders if module_of(path) in self.modules]

        def used(at: tuple[str, str]) -> Iterator[tuple[str, str]]:
            module = self.modules[at[0]]
            for name in module.statements[at[1]][0]:
                whole = module.imported.get(name, "")
                if whole.startswith("tests."):
                    home, last = self.home(whole), whole.rpartition(".")[2]
                    there = self.modules[home].statements
                    yield from ((home, each) for each in ([last] if last in there else there))
                places = [at[0], *fixtures]
                yield from ((it, name) for it in places if name in self.modules[it].statements)

        own = [(module_of(test), statement) for statement in self.modules[module_of(test)].statements]
        texts = {text for module, name in closure(own, used) for text in self.modules[module].statements[name][1]}
        return {self.models[text] for text in texts if text in self.models}

    def under(self, *places: str) -> set[str]:
        """Return the files of tests in some folders; one may be a file itself."""
        return {test for test in self.tests if any(test == place or test.startswith(f"{place}/") for place in places)}

    def of_block(self, block: str) -> set[str]:
        """Return the tests of a block, and those that name it of its callers and of whole servers."""
        found = self.under(f"tests/services/{block}")
        for test in self.tests:
            room, _, rest = test.removeprefix("tests/").partition("/")
            is_callers = room == "services" and block in self.called_by(rest.partition("/")[0])
            if (is_callers or room in _WHOLE_SERVERS) and block in self.named_by(test):
                (self.left if test in LONG - found else found).add(test)
        return found

    def reached(self, paths: Iterable[str]) -> tuple[set[str], set[str]]:
        """Return the tests that changes of some files reach, and the files that reach everything."""
        found: set[str] = set()
        everything: set[str] = set()
        for path in paths:
            found |= self.under(*(tests for start, tests in _ELSEWHERE.items() if path.startswith(start)))
            if path.startswith("tests/"):
                tests = self._of_tests(path)
                if tests == set(self.tests):
                    everything.add(path)
                else:
                    found |= tests
            elif path.startswith("src/cloudlet/services/") and path.count("/") > 3:
                found |= self.of_block(path.split("/")[3])
            elif path.startswith("src/cloudlet/"):
                name, room = module_of(path), "tests/" + path.split("/")[2]
                mirror = str(Path("tests", *Path(path).parts[2:-1]))
                found |= self.under(mirror) or self.under(room)
                importers = self.importers.get(name, set())
                found |= {self.modules[each].path for each in importers if self.modules[each].is_test}
                importers = closure(importers, lambda name: self.importers[name])
                blocks = {each.split(".")[2] for each in importers if each.startswith(SERVICES)}
                # What no other room imports is imported by a name made at run time, or runs by itself.
                if len(blocks) > _MANY * len(self.blocks) or not blocks:
                    everything.add(path)
                else:
                    found |= {test for block in blocks for test in self.of_block(block)}
        return found, everything

    def _of_tests(self, path: str) -> set[str]:
        """Return what a change in tests/ reaches: a test itself, who uses a helper, all below fixtures or data."""
        if Path(path).match("test_*.py"):
            return self.under(path)
        folder = Path(path).parent
        if folder == Path("tests") and not path.endswith(".py"):
            return set()
        while not (below := self.under(str(folder))):
            folder = folder.parent
        users = closure([module_of(path)], lambda name: self.importers.get(name, ())) & self.modules.keys()
        if path.endswith(".py") and users - {module_of(path)} and not path.endswith("conftest.py"):
            fixtures = [self.modules[name].path for name in users if name.endswith("conftest")]
            below = self.under(*(str(Path(each).parent) for each in fixtures))
            below |= {self.modules[name].path for name in users if self.modules[name].is_test}
        return below

    def sample(self) -> set[str]:
        """Return a quick file of each block's tests."""
        return self.under(*(f"tests/services/{block}/{name}" for block, name in QUICK.items()))


def module_of(path: str) -> str:
    """Return the name of the module that a file is."""
    return path.removeprefix("src/").removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def changed(base: str | None) -> list[str]:
    """Return the files that differ from a commit, those among them that Git does not know yet."""

    def git(*command: str) -> list[str]:
        answer = subprocess.run(["git", *command], cwd=ROOT, check=True, capture_output=True, text=True)
        return answer.stdout.split("\n")

    if base is None:
        known = git("for-each-ref", "--format=%(refname)", "refs/heads/main", "refs/remotes/origin/main")
        base = git("merge-base", "HEAD", known[0] or "HEAD")[0]
    found = git("diff", "--name-only", "--no-renames", base) + git("ls-files", "--others", "--exclude-standard")
    return sorted({each for each in found if each})


def main() -> None:
    parser = ArgumentParser(description="Print the test files that a change can reach.")
    parser.add_argument("--base", metavar="REV", help="what the change is to be compared with, instead of main")
    parser.add_argument("files", nargs="*", help="the files that are taken as changed, instead")
    options = parser.parse_args()
    # It would look through all that is read again and again.
    gc.disable()
    tree = Tree()
    found, everything = tree.reached(options.files or changed(options.base))
    for path in sorted(everything):
        print(f"{path} reaches everything: a sample of each block's tests is chosen", file=sys.stderr)
    if left := sorted(tree.left - found):
        print(f"left to the whole run, as they take long: {', '.join(left)}", file=sys.stderr)
    for test in sorted(found | (tree.sample() if everything else set())):
        print(test)


if __name__ == "__main__":
    main()
