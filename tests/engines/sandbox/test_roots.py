"""Sandboxes whose root is an unpacked image."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from cloudlet.engines.images import Folder, Platform, resolve, unpack
from cloudlet.engines.sandbox import Network, SandboxError, Sandboxes, Spec, prepare
from tests.engines.images.layouts import Layout, entry, link
from tests.engines.images.machine import BASH, layer
from tests.engines.sandbox.conftest import LIMITS, Machine


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An image that has a shell, a file of its own, and links where a sandbox puts something."""
    layout = Layout(tmp_path / "layout")
    layout.image(
        layer(
            entry("srv/file", b"of the image"),
            link("tmp", "srv"),
            link("dev", "../../../dev"),
            link("etc/resolv.conf", "/etc/shadow"),
            entry("etc/hosts/x", b""),
        )
    )
    folder = tmp_path / "root"
    unpack(Folder(layout.path), resolve(layout.path, Platform("linux", "amd64")), folder, finish=prepare)
    return folder


def test_a_program_sees_the_image_and_nothing_of_the_machine(in_sandboxes: Any, root: Path) -> None:
    script = """
        echo /* /srv/*; echo "$UID $PWD"; read -r line < /srv/file; echo "$line"
        for path in /x /srv/x /etc/x /dev/x; do echo y 2> /dev/null > $path && echo written $path; done
        echo mine > /tmp/x && read -r line < /tmp/x && echo "$line"
        while read -r line; do echo "$line"; done < /etc/resolv.conf
        while read -r line; do case $line in CapEff*|NoNewPrivs*) echo $line;; esac; done < /proc/self/status
    """

    async def scenario(machine: Machine) -> None:
        run = await machine.run(BASH, "-c", script, root=root, folder="/srv")
        lines = run.printed.splitlines()
        assert set(lines[0].split()) >= {"/bin", "/dev", "/etc", "/proc", "/srv", "/tmp", "/srv/file"}
        assert not {"/usr", "/root", "/var", "/home", "/srv/x"} & set(lines[0].split())
        user, folder = lines[1].split()
        assert (user != "0", folder) == (True, "/srv")
        assert "of the image" in lines
        assert "written" not in run.printed
        assert "mine" in lines
        assert Path("/etc/resolv.conf").read_text().strip() in run.printed
        assert "CapEff: 0000000000000000" in lines
        assert "NoNewPrivs: 1" in lines
        assert not (root / "tmp" / "x").exists()
        assert list((root / "dev").iterdir()) == []

    in_sandboxes(scenario)


def test_a_program_that_an_image_does_not_have_ends_with_an_error(in_sandboxes: Any, root: Path) -> None:
    async def scenario(machine: Machine) -> None:
        run = await machine.run("/missing", root=root)
        assert run.status == 127 if os.geteuid() == 0 else run.status != 0
        assert "/missing" in run.printed

    in_sandboxes(scenario)


def test_without_sandboxes_there_are_no_roots(in_sandboxes: Any, root: Path) -> None:
    async def scenario(_: Machine) -> None:
        with pytest.raises(SandboxError, match="in sandboxes only"):
            await Sandboxes("none").start(Spec([BASH], LIMITS, root=root))

    in_sandboxes(scenario)


def test_a_program_gets_hold_of_none_of_the_machines(in_sandboxes: Any, root: Path) -> None:
    """The interpreter of a script may be what has started it, which is seen through a mount for reading alone."""
    (root / "s").write_text("#!/proc/self/exe\n")
    (root / "s").chmod(0o755)

    async def scenario(machine: Machine) -> None:
        run = await machine.run("/s", root=root)
        assert "/s: error while loading shared libraries" in run.printed

    in_sandboxes(scenario)


def test_without_sandboxes_there_are_no_networks() -> None:
    async def scenario() -> None:
        with pytest.raises(SandboxError, match="runs in sandboxes only"):
            await Sandboxes("none").start(Spec(["true"], LIMITS, network=Network(0, None, "169.254.169.253")))

    asyncio.run(scenario())


def test_a_root_whose_folders_are_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "etc").symlink_to("/etc")
    with pytest.raises(NotADirectoryError, match="etc is no folder"):
        prepare(tmp_path)
