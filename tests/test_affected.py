"""Which tests `scripts/test changed` chooses for a change, on the tree as it is."""

from __future__ import annotations

import subprocess
import sys

import pytest
from scripts.affected import LONG, QUICK, ROOT, Tree


@pytest.fixture(scope="module")
def tree() -> Tree:
    return Tree()


def chosen(tree: Tree, *paths: str) -> set[str]:
    """Return what changes of some files reach; none of them reaches everything."""
    found, everything = tree.reached(paths)
    assert not everything
    return found


def folders(tests: set[str]) -> set[str]:
    """Return the blocks in whose folders tests are."""
    return {test.split("/")[2] for test in tests if test.startswith("tests/services/")}


def test_a_block_reaches_its_tests_and_those_of_its_callers_that_name_it(tree: Tree) -> None:
    found = chosen(tree, "src/cloudlet/services/sqs/receiving.py")
    assert tree.under("tests/services/sqs") < found
    assert {"tests/services/sns/test_delivery.py", "tests/services/lambda_/test_mappings.py"} < found
    # These call SQS, too, but their files name it nowhere.
    assert not {"tests/services/sns/test_filter_policy.py", "tests/services/lambda_/test_layers.py"} & found
    assert not {"xray", "dynamodb", "cloudtrail"} & folders(found)


def test_what_takes_long_is_chosen_for_its_own_block_only(tree: Tree) -> None:
    name = "tests/services/lambda_/test_polling.py"
    tree.left.clear()
    assert name not in chosen(tree, "src/cloudlet/services/sqs/receiving.py")
    assert name in tree.left
    assert name in chosen(tree, "src/cloudlet/services/lambda_/mappings/mapping.py")
    assert name in chosen(tree, name)
    assert all((ROOT / each).is_file() for each in LONG)


def test_a_block_reaches_the_tests_of_whole_servers_that_name_it(tree: Tree) -> None:
    found = chosen(tree, "src/cloudlet/services/scheduler/scheduling.py")
    assert "tests/crash/test_scheduler.py" in found
    assert "tests/crash/test_s3_crash.py" not in found


def test_a_block_is_named_by_the_models_for_which_it_answers_and_by_fixtures(tree: Tree) -> None:
    assert tree.models["lambda"] == "lambda_"
    assert tree.models["dynamodbstreams"] == "dynamodb"
    # Its clients are made by fixtures in conftest.py, and by tests.queues.
    assert "sqs" in tree.named_by("tests/services/sqs/test_fifo.py")
    assert {"sqs", "pipes"} <= tree.named_by("tests/services/pipes/test_queues.py")


def test_a_call_with_a_literal_name_tells_whom_a_block_calls(tree: Tree) -> None:
    # What its metrics and records are sent to is called by core, which it imports.
    assert {"lambda_", "sqs", "cloudwatch", "cloudtrail"} <= tree.called_by("sns")
    assert "s3" not in tree.called_by("sns")
    # An ARN tells whom this one calls.
    assert tree.called_by("scheduler") == set(tree.blocks)


def test_shared_code_reaches_the_blocks_that_import_it(tree: Tree) -> None:
    found = chosen(tree, "src/cloudlet/core/aws/polling/shard.py")
    assert tree.under("tests/services/pipes", "tests/services/lambda_") < found
    assert "tests/core/test_polled.py" in found
    assert "sqs" not in {block for block in folders(found) if tree.under(f"tests/services/{block}") <= found}


def test_code_that_only_one_block_needs_does_not_reach_others(tree: Tree) -> None:
    found = chosen(tree, "src/cloudlet/engines/images/tar.py")
    assert tree.under("tests/engines/images", "tests/services/lambda_") < found
    assert "tests/engines/sandbox/test_roots.py" not in found


@pytest.mark.parametrize(
    ("path", "room"),
    [
        ("core/kernel/context.py", "core"),
        ("edge/http.py", "edge"),
        ("store/transaction.py", "store"),
        # It is imported by a name that is made at run time.
        ("wire/query.py", "wire"),
        # It is gone.
        ("wire/gone.py", "wire"),
    ],
)
def test_what_reaches_everything_is_said_to_and_reaches_the_tests_of_its_room(tree: Tree, path: str, room: str) -> None:
    found, everything = tree.reached([f"src/cloudlet/{path}"])
    assert everything == {f"src/cloudlet/{path}"}
    assert tree.under(f"tests/{room}") <= found


def test_the_sample_has_a_file_of_each_block(tree: Tree) -> None:
    assert folders(tree.sample()) == set(QUICK) == set(tree.blocks)


def test_changed_tests_and_who_uses_a_changed_helper_are_chosen(tree: Tree) -> None:
    assert chosen(tree, "tests/services/s3/test_objects.py") == {"tests/services/s3/test_objects.py"}
    assert chosen(tree, "tests/services/s3/test_gone.py") == set()
    assert "tests/services/pipes/test_queues.py" in chosen(tree, "tests/queues.py")
    assert chosen(tree, "tests/services/sqs/conftest.py") == tree.under("tests/services/sqs")
    assert chosen(tree, "tests/services/sns/mail_server.py") <= tree.under("tests/services/sns")


def test_what_all_tests_use_reaches_everything(tree: Tree) -> None:
    assert tree.reached(["tests/conftest.py", "tests/standing.py"]) == (
        set(),
        {"tests/conftest.py", "tests/standing.py"},
    )


def test_pages_reach_the_tests_that_read_them_and_nothing_else_is_chosen(tree: Tree) -> None:
    assert chosen(tree, "docs/services/sqs.md") == {"tests/e2e/test_documented_blocks.py"}
    assert chosen(tree, "CHANGELOG.md", "tests/unsteady.txt") == set()


def test_the_command_prints_files_and_says_of_what_a_sample_is_enough() -> None:
    command = [sys.executable, "scripts/affected.py", "src/cloudlet/edge/http.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "src/cloudlet/edge/http.py reaches everything: a sample" in done.stderr
    printed = done.stdout.splitlines()
    assert {"tests/edge/test_http.py", f"tests/services/sqs/{QUICK['sqs']}"} < set(printed)
    assert all((ROOT / each).is_file() for each in printed)
