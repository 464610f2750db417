"""What `cloudlet up` and `cloudlet serve` have in common: options, logging, running."""

from __future__ import annotations

import argparse
import asyncio
import base64
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from cloudlet.cli import EXIT_FAILED, EXIT_OK, EXIT_USAGE, CommandError, fail, port_number
from cloudlet.cli.durations import duration
from cloudlet.core.kernel.cloud import FILES_KEPT_SECONDS
from cloudlet.edge.instances import Instance
from cloudlet.edge.root_keys import RootKey
from cloudlet.edge.server import Settings, StartError, default_data, serve
from cloudlet.store.folders import make_private

ROOT_KEYS, STORE, MASTER_KEY = "CLOUDLET_ROOT_KEYS", "CLOUDLET_STORE", "CLOUDLET_MASTER_KEY"
KEEP_FILES = "CLOUDLET_KEEP_FILES"
_MASTER_KEY_BYTES = 32
_XRAY_DAEMON_PORT = 2000

log = logging.getLogger("cloudlet")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, help=f"the data folder (default: $CLOUDLET_DATA or {default_data()})")
    parser.add_argument(
        "--store",
        metavar="URL",
        help="keep the blocks' data in this PostgreSQL (postgresql://USER:PASSWORD@HOST/DATABASE) instead of the data "
        "folder (default: $CLOUDLET_STORE)",
    )
    parser.add_argument(
        "--keep-files",
        type=_duration,
        metavar="DURATION",
        help="with --store: for how long files outlive what they belong to, for backups of the database and standbys "
        f"that lag behind (90s, 1d12h; default: ${KEEP_FILES}, else 7d)",
    )
    parser.add_argument(
        "--auth",
        choices=("open", "strict"),
        default="open",
        help="open (default): an unknown access key is the root of its account; strict: it is refused, and permissions "
        "are enforced. A known key's signature is verified in both",
    )
    parser.add_argument(
        "--root-key",
        action="append",
        default=[],
        type=_root_key,
        metavar="ACCOUNT:KEY:SECRET",
        help="an access key of an account's root; may be repeated (also $CLOUDLET_ROOT_KEYS, separated by spaces, or "
        "keys.json in the data folder)",
    )
    parser.add_argument(
        "--endpoint",
        metavar="URL",
        type=_endpoint,
        help="the URL under which clients reach it (default: where it listens)",
    )
    parser.add_argument("--tls", action="store_true", help="listen with TLS, with a certificate of a local authority")
    parser.add_argument("--tls-cert", type=Path, help="listen with TLS, with this certificate (PEM)")
    parser.add_argument("--tls-key", type=Path, help="the key of --tls-cert (PEM)")
    parser.add_argument(
        "--trace-calls",
        action="store_true",
        help="tell X-Ray of each call that an application makes, so that it shows in the application's service graph",
    )
    parser.add_argument(
        "--xray-daemon",
        nargs="?",
        const=_XRAY_DAEMON_PORT,
        type=port_number,
        metavar="PORT",
        help="be X-Ray's daemon for programs on this machine too: on this port, take segments by UDP and answer for "
        f"sampling rules (default: {_XRAY_DAEMON_PORT})",
    )
    parser.add_argument(
        "--dns",
        type=port_number,
        metavar="PORT",
        help="answer DNS queries from Route 53's hosted zones, over UDP and TCP, on this port",
    )
    parser.add_argument(
        "--sandbox",
        choices=("bubblewrap", "none"),
        default="bubblewrap",
        help="what users' code runs in; with none it sees and may do what Cloudlet itself may (default: bubblewrap)",
    )
    parser.add_argument(
        "--until-eof",
        action="store_true",
        help="stop when standard input ends, too: for what starts it through a pipe, and may itself be killed",
    )
    parser.add_argument("--log-format", choices=("text", "json"), default="text", help="how log lines are written")
    parser.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default="warning",
        help="info shows every request (default: warning)",
    )


def _duration(text: str) -> float:
    try:
        return duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def files_kept_seconds(options: argparse.Namespace) -> float:
    """Return for how long files are kept that nothing refers to any more. Raises CommandError."""
    if options.keep_files is not None:
        if not store(options):
            raise CommandError("--keep-files goes with --store: else files are kept in snapshots", EXIT_USAGE)
        return float(options.keep_files)
    given = os.environ.get(KEEP_FILES)
    try:
        return duration(given) if given else FILES_KEPT_SECONDS
    except ValueError as error:
        raise CommandError(f"{KEEP_FILES}: {error}", EXIT_USAGE) from error


def address_of(text: str) -> str:
    """Return the URL of a Cloudlet, without a slash at its end. Raises ValueError for what is none."""
    parts = urlsplit(text)
    # What is asked for as the port may be no number.
    _ = parts.port
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/") or parts.query:
        raise ValueError(f"not the URL of a Cloudlet: {text!r}")
    return text.rstrip("/")


def _endpoint(text: str) -> str:
    try:
        return address_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error} (http://HOST:PORT)") from error


def _root_key(text: str) -> RootKey:
    try:
        return RootKey.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def read_settings(options: argparse.Namespace) -> Settings:
    """Return the settings that both commands take as they are given. Raises CommandError."""
    return Settings(
        endpoint=options.endpoint,
        auth=options.auth,
        files_kept_seconds=files_kept_seconds(options),
        master_key=_read_master_key(),
        root_keys=root_keys(options),
        tls=options.tls,
        tls_certificate=options.tls_cert,
        tls_key=options.tls_key,
        xray_daemon=options.xray_daemon,
        dns=options.dns,
        traces_calls=options.trace_calls,
        sandbox=options.sandbox,
        until_eof=options.until_eof,
    )


def root_keys(options: argparse.Namespace) -> tuple[RootKey, ...]:
    """Return the keys of the options and of the environment. Raises CommandError."""
    try:
        return (*options.root_key, *(RootKey.parse(key) for key in os.environ.get(ROOT_KEYS, "").split()))
    except ValueError as error:
        raise CommandError(f"{ROOT_KEYS}: {error}", EXIT_USAGE) from error


def _read_master_key() -> bytes | None:
    """Return the key that processes on several machines share, if the environment has one. Raises CommandError."""
    given = os.environ.get(MASTER_KEY)
    if given is None:
        return None
    try:
        key = base64.b64decode(given, validate=True)
    except ValueError:
        key = b""
    if len(key) != _MASTER_KEY_BYTES:
        raise CommandError(f"{MASTER_KEY} must be {_MASTER_KEY_BYTES} random bytes in base64 (openssl rand -base64 32)")
    return key


def store(options: argparse.Namespace) -> str | None:
    """Return the URL of the store that the options or the environment name."""
    return options.store or os.environ.get(STORE) or None


def known_blocks(names: list[str]) -> frozenset[str]:
    """Return the names of blocks as a set. Raises CommandError where there are none, or for one that does not exist."""
    from cloudlet.core.kernel.cloud import list_blocks

    unknown = sorted(set(names) - list_blocks().keys())
    if unknown or not names:
        wrong = f"there is no block {', '.join(unknown)}" if unknown else "no block is named"
        raise CommandError(f"{wrong}; there are {', '.join(sorted(list_blocks()))}", EXIT_USAGE)
    return frozenset(names)


def run(settings: Settings, options: argparse.Namespace, ready: Callable[[Instance], None]) -> int:
    """Serve until the process is told to stop; return the exit code."""
    import uvloop

    _occupy_standard_streams()
    _set_up_logging(options.log_format, options.log_level)

    def told(running: Instance) -> None:
        if options.log_format == "json":
            log.critical(
                "listening on %s", running.endpoint, extra={"endpoint": running.endpoint, "data": running.data}
            )
        ready(running)

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings, told))
    except StartError as error:
        return fail(str(error), EXIT_FAILED)
    return EXIT_OK


def _occupy_standard_streams() -> None:
    """Have something there where a daemon is started without standard streams, lest a socket takes their place."""
    for stream in range(3):
        try:
            os.fstat(stream)
        except OSError:
            # It gets the lowest number that is free.
            os.open(os.devnull, os.O_RDWR)


def _set_up_logging(form: str, level: str) -> None:
    handler = logging.StreamHandler()
    if form == "json":
        from cloudlet.cli.logs import JsonFormatter

        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler])


def detach(folder: Path) -> int:
    """Start the same command in a session of its own, and wait until it is ready or has failed. Raises CommandError."""
    command = [sys.executable, "-m", "cloudlet", *(word for word in sys.argv[1:] if word not in ("-d", "--detach"))]
    file = folder / "cloudlet.log"
    try:
        make_private(folder)
        log_file = os.fdopen(os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")
    except OSError as error:
        raise CommandError(f"cannot write the log, {file}: {error.strerror}") from error
    with log_file as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, start_new_session=True, text=True
        )
    if process.stdout is None:
        raise RuntimeError("a pipe was asked for")
    for line in process.stdout:
        print(line, end="")
        if line.startswith("Ready."):
            print(f"It goes on in the background as process {process.pid}; its log is {file}")
            return EXIT_OK
    print(f"it did not start; its log is {file}:", *file.read_text().splitlines()[-1:], sep="\n", file=sys.stderr)
    return process.wait() or EXIT_FAILED
