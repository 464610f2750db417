"""What README.md and the pages of building blocks show, run as it stands, each page on a Cloudlet of its own."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from cloudlet.testing.server import Aws, Server
from tests.e2e.client import E2E, PATH, RUNNING, Client
from tests.e2e.packages import python_runtime

_ROOT = E2E.parents[1]
_PAGES = sorted((_ROOT / "docs" / "services").glob("*.md"))
_EXAMPLE = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NOT_HERE = re.compile(
    r"dig |skopeo |.*--package-type Image|.*opentelemetry-instrument|aws logs tail|cloudlet (?:up|down)", re.DOTALL
)
"""What is not installed with these tests (`aws logs tail` is in version 2 of the CLI only), and what they do."""
_WITH_ENDPOINT = 'aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }\n'
_PETS = """{openapi: 3.0.1, info: {title: pets, version: "1"}, paths: {"/pets/{id}": {get: {
    x-amazon-apigateway-integration: {type: MOCK, requestTemplates: {application/json: '{"statusCode": 200}'}}}}}}"""


def _commands(text: str) -> str:
    """Return the commands of an example, but for those that cannot be run here with their further lines."""
    commands = re.findall(r"(?:[^\n]*\\\n)*[^\n]*\n", text)
    return "".join(command for command in commands if not _NOT_HERE.match(command.lstrip()))


def _run(examples: list[tuple[str, str]], here: Path) -> None:
    """Run what a page shows, for version 2 of the CLI."""
    # Version 1 takes no endpoint from the environment for SQS, and payloads raw.
    _run_as_it_is(
        [(language, _WITH_ENDPOINT + text if language == "sh" else text) for language, text in examples], here
    )


def _run_as_it_is(examples: list[tuple[str, str]], here: Path) -> None:
    """Run what a page shows, with the CLI that pip installs."""
    with Server.start("--ephemeral", env={"PATH": PATH}) as server:
        renamed = {
            "http://localhost:4566": server.endpoint,
            "http://127.0.0.1:4566": server.endpoint,
            "--cli-binary-format raw-in-base64-out ": "",
            "python3.13": python_runtime(),
        }
        path = os.pathsep.join((str(Path(sys.executable).parent), PATH))
        environment = Aws(server.endpoint, "test").environment
        shell = Client(
            "bash", {**environment, **RUNNING, "HOME": str(here), "PATH": path, "CLOUDLET_PORT": server.port}
        )
        python = Client(sys.executable, shell.environment)
        for language, text in examples:
            for shown, meant in renamed.items():
                text = text.replace(shown, meant)
            if language == "sh":
                shell.run("-euo", "pipefail", "-c", f"cd '{here}'\n{_commands(text)}")
            else:
                python.run("-c", f"import os; os.chdir({str(here)!r})\n{text}")


@pytest.mark.parametrize("page", _PAGES, ids=[page.stem for page in _PAGES])
def test_page(page: Path, tmp_path: Path) -> None:
    (tmp_path / "pets.yaml").write_text(_PETS)
    examples = _EXAMPLE.findall(page.read_text())
    assert examples
    _run(examples, tmp_path)


def test_readme(tmp_path: Path) -> None:
    section = (_ROOT / "README.md").read_text().partition("## Use it from the AWS CLI")[2].partition("\n## ")[0]
    examples = [text for language, text in _EXAMPLE.findall(section) if language == "sh"]
    # Installing is not done again; that functions and variables stay from one example to the next is.
    assert "pip install ." in examples[0]
    _run_as_it_is([("sh", "\n".join(examples[1:]))], tmp_path)


def test_quick_start(tmp_path: Path) -> None:
    section = (_ROOT / "docs" / "index.md").read_text().partition("## Use\n")[2]
    (_, evaluating), *examples = _EXAMPLE.findall(section)
    _run_as_it_is(
        [(language, evaluating + text if language == "sh" else text) for language, text in examples], tmp_path
    )
