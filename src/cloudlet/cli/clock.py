"""`cloudlet clock`."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from typing import Any

from cloudlet.cli import EXIT_OK, EXIT_USAGE, CommandError, add_port, admin
from cloudlet.cli.durations import duration

_HELP = "show the time, let it stand, move it on, let it go on, or bring it back to the system's"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_port(parser)
    parser.add_argument("action", choices=("show", "freeze", "advance", "resume", "reset"), help=_HELP)
    parser.add_argument(
        "to",
        nargs="?",
        help="freeze: the time at which to stand (2030-01-31T08:00:00Z; default: now). advance: 90s, 1d12h",
    )


def run(options: argparse.Namespace) -> int:
    body = _body(options.action, options.to)
    running = admin.running_on(options.port)
    if options.action == "show":
        answer = admin.call(running, "GET", "clock")
    else:
        answer = admin.call(running, "POST", f"clock/{options.action}", body)
    print(shown(answer["now"], answer["frozen"], answer["ahead"]))
    return EXIT_OK


def is_moved(frozen: bool, ahead: float) -> bool:
    """Whether a clock stands, or is a second or more ahead of the system's, or behind it."""
    return frozen or abs(ahead) >= 1


def shown(now: float, frozen: bool, ahead: float) -> str:
    """Return what a clock shows: seconds since the epoch, whether it stands, how far it is from the system's."""
    time = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
    apart = "" if abs(ahead) < 1 else f", {_span(ahead)} {'ahead of' if ahead > 0 else 'behind'} the system's clock"
    return f"{time}{' (it stands)' if frozen else ''}{apart}"


def _span(seconds: float) -> str:
    """Return a span of time as people write it: 1 d 12 h."""
    rest, parts = round(abs(seconds)), []
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count:,} {unit}")
    return " ".join(parts)


def _body(action: str, text: str | None) -> bytes:
    if action == "advance" and text is None:
        raise CommandError("clock advance takes a duration (90s, 1d12h)", EXIT_USAGE)
    if action in ("show", "resume", "reset") and text is not None:
        raise CommandError(f"clock {action} takes nothing more", EXIT_USAGE)
    content: dict[str, Any] = {}
    if text is not None and action == "freeze":
        content["time"] = read_time(text)
    elif text is not None:
        try:
            content["seconds"] = duration(text)
        except ValueError as error:
            raise CommandError(str(error), EXIT_USAGE) from error
    return json.dumps(content).encode()


def read_time(text: str) -> float:
    """Return a time in seconds since the epoch; one without a zone is UTC. Raises CommandError."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"not a time: {text!r} (2030-01-31T08:00:00Z)", EXIT_USAGE) from error
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
