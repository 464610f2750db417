"""The clock of several processes on one PostgreSQL: who moves that of one moves all."""

from __future__ import annotations

import json
from pathlib import Path

from cloudlet.engines import postgres_server
from cloudlet.testing.server import Server
from tests.commands import cloudlet
from tests.standing import eventually

NOON = "2030-03-13T12:00:00"


def shown(server: Server) -> str:
    return cloudlet("clock", "show", "--port", server.port).stdout


def test_all_processes_follow_and_so_does_what_starts_later(tmp_path: Path) -> None:
    with postgres_server.run_temporary_server() as database:
        options = "--data", str(tmp_path), "--store", database.url
        with Server.start(*options) as first, Server.serve("sqs", "--listen", "localhost:0", *options) as second:
            assert cloudlet("clock", "freeze", f"{NOON}Z", "--port", first.port).returncode == 0
            eventually(lambda: shown(second), lambda text: NOON in text)
            assert cloudlet("clock", "advance", "1h", "--port", second.port).returncode == 0
            eventually(lambda: shown(first), lambda text: "2030-03-13T13:00:00" in text)
            # A process that could not hear of it while the database was away learns of it afterwards.
            database.restart()
            eventually(
                lambda: cloudlet("clock", "advance", "1h", "--port", first.port).returncode, lambda code: code == 0
            )
            eventually(lambda: shown(second), lambda text: "2030-03-13T14:00:00" in text)
        with Server.serve("sqs", "--listen", "localhost:0", *options) as later:
            assert "2030-03-13T14:00:00" in shown(later)
            (tmp_path / "clock.json").unlink()
        with Server.start(*options, "--isolate", "--services", "sqs") as isolated:
            assert "2030-03-13T14:00:00" in shown(isolated)
            assert cloudlet("clock", "reset", "--port", isolated.port).returncode == 0
        assert json.loads((tmp_path / "clock.json").read_text()) == {"ahead": 0.0, "frozen": None}


def test_it_is_not_moved_while_the_database_is_away(tmp_path: Path) -> None:
    with postgres_server.run_temporary_server() as database:
        options = "--data", str(tmp_path), "--store", database.url
        with Server.serve("sqs", "--listen", "localhost:0", *options) as server:
            before = shown(server)
            database.stop()
            refused = cloudlet("clock", "advance", "1h", "--port", server.port)
            assert refused.returncode == 1
            assert "the clock cannot be moved now" in refused.stderr
            assert shown(server)[:14] == before[:14]
