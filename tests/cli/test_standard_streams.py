"""What `cloudlet up` has for standard input and output, and what their end is to it."""

from __future__ import annotations

import subprocess
import sys

import pytest

_UP = (sys.executable, "-m", "cloudlet", "up", "--ephemeral", "--port", "0")


@pytest.mark.parametrize("options", [(), ("--isolate",)])
def test_it_stops_when_its_standard_input_ends_where_that_is_asked_for(options: tuple[str, ...]) -> None:
    with subprocess.Popen(
        (*_UP, "--until-eof", *options), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("what is written means nothing\n")
        process.stdin.flush()
        assert any(line.startswith("Ready.") for line in process.stdout)
        process.stdin.close()
        assert process.wait(20) == 0


def test_an_input_that_has_no_end_to_wait_for_is_refused() -> None:
    refused = subprocess.run((*_UP, "--until-eof"), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (refused.returncode, "neither a pipe nor a terminal" in refused.stderr) == (1, True), refused.stderr


def test_a_daemon_without_standard_streams_ends_well() -> None:
    # What it opens first would be its standard input.
    closed = ("sh", "-c", 'exec "$@" <&-', "sh")
    with subprocess.Popen((*closed, *_UP), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any(line.startswith("Ready.") for line in process.stdout)
        process.terminate()
        assert process.wait(20) == 0
