"""What a compiled wheel may have: see docs/decisions/0012-compiled-modules.md."""

import re
import tomllib
from pathlib import Path

import hatch_build
import hatch_training
import pytest

from cloudlet.testing.server import Aws, Server, fresh_account
from tests.standing import eventually


def test_the_distribution_has_a_name_of_its_own_and_the_command_that_of_the_module() -> None:
    """`cloudlet` is another project's on the package index: nobody is to be told to install that."""
    root = Path(hatch_build.__file__).parent
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert project["name"] == "cloudlet-local"
    assert (list(project["scripts"]), list(project["entry-points"]["pytest11"])) == (["cloudlet"], ["cloudlet"])
    texts = [root / "README.md", *(root / "docs").rglob("*.md"), *(root / "src").rglob("*.py"), *root.glob("*/*/*.md")]
    for text in texts:
        assert not re.search(r"pip install [^\n]*\bcloudlet(\[|'|\s*$)", text.read_text(), re.MULTILINE), text


def test_all_that_is_listed_can_be_compiled() -> None:
    listed = hatch_build.listed()
    assert all(hatch_build.modules_of(names) for names in listed.values())


@pytest.mark.parametrize(
    "said", ["class A(msgspec.Struct, array_like=True): ...", "class A(B):\n    class C(D, tag=1): ..."]
)
def test_what_a_class_says_besides_its_bases_would_be_lost(tmp_path: Path, said: str) -> None:
    module = tmp_path / "module.py"
    module.write_text(said)
    with pytest.raises(ValueError, match="says more than its bases"):
        hatch_build.check(module)


def test_records_would_have_other_fields(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("class A(msgspec.Struct): ...")
    with pytest.raises(ValueError, match="is a record"):
        hatch_build.check(module)


def test_cached_properties_would_not_be_cached(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("from functools import cached_property")
    with pytest.raises(ValueError, match="would not be cached"):
        hatch_build.check(module)


@pytest.mark.parametrize(
    "body",
    [
        "try:\n        await b()\n    except ValueError:\n        await b()\n        raise",
        "try:\n        await b()\n    finally:\n        await b()",
        "async with b(), asyncio.TaskGroup() as group:\n        await b()",
    ],
)
def test_what_handles_exceptions_is_not_to_wait(tmp_path: Path, body: str) -> None:
    module = tmp_path / "module.py"
    module.write_text(f"async def a():\n    {body}")
    with pytest.raises(ValueError, match="line 2 waits while"):
        hatch_build.check(module)
    module.write_text("async def a():\n    try:\n        await b()\n    finally:\n        c(lambda: (yield))")
    hatch_build.check(module)


def test_what_is_said_to_type_checkers_alone_is_not(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("class A(TypedDict, total=False): ...")
    hatch_build.check(module)


def test_a_module_that_is_gone_is_noticed() -> None:
    with pytest.raises(ValueError, match="no module"):
        hatch_build.modules_of(["store/gone.py"])


def test_what_modules_are_optimised_by_is_answered(tmp_path: Path) -> None:
    with Server.start("--data", str(tmp_path)) as server:
        client = Aws(server.endpoint, fresh_account()).client
        hatch_training.ask(client, 2)
        sqs = client("sqs")

        def count(queue: str) -> int:
            url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
            asked = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
            return int(asked["Attributes"]["ApproximateNumberOfMessages"])

        assert eventually(lambda: count("training-topic") == count("training-rule") == 22)
        found = client("s3").list_objects_v2(Bucket="training")
        assert [each["Key"] for each in found["Contents"]] == ["objects/0", "objects/1"]
        assert client("dynamodb").scan(TableName="training", Select="COUNT")["Count"] == 20
