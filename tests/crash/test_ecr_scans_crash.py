"""The whole server, killed while an image is scanned: it is scanned again, and nothing stays behind."""

from __future__ import annotations

from pathlib import Path

from cloudlet.testing.server import Aws, Server
from tests.crash.test_ecs_crash import list_command_lines
from tests.services.ecr import scanner
from tests.services.ecr.registry import make_image, open_registry
from tests.services.ecr.test_scans import NAME, ON_PUSH, ask, wait
from tests.standing import eventually

ACCOUNT = "123456789012"


def test_a_scan_is_made_after_a_kill(tmp_path: Path) -> None:
    control = scanner.install(tmp_path / "programs", "grype")
    control.write_text("wait")
    work = tmp_path / "data" / "work" / "ecr"
    env = {"CLOUDLET_SCANNER": str(tmp_path / "programs" / "grype")}
    with Server.start("--data", str(tmp_path / "data"), env=env) as server:
        aws = Aws(server.endpoint, ACCOUNT)
        open_registry(aws, NAME, **ON_PUSH).push(make_image(b"layer"), "v1")
        eventually(lambda: control.read_text() == "waiting")
        assert list(work.rglob("oci-layout"))
        server.kill()
    programs = str(tmp_path / "programs").encode()
    eventually(lambda: not any(programs in line for line in list_command_lines()))
    control.write_text("")
    with Server.start("--data", str(tmp_path / "data"), env=env) as server:
        ecr = Aws(server.endpoint, ACCOUNT).client("ecr")
        assert wait(ecr)["imageScanFindings"]["findingSeverityCounts"] == {"INFORMATIONAL": 1}
        eventually(lambda: not list(work.rglob("oci-layout")))
        assert ask(ecr)["imageScanFindings"]["findings"][0]["name"] == "CVE-2023-45853"
