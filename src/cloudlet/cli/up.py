"""`cloudlet up`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import cloudlet
from cloudlet.cli import EXIT_FAILED, EXIT_OK, EXIT_USAGE, add_port, fail
from cloudlet.edge.keys import RootKey
from cloudlet.edge.running import Running
from cloudlet.edge.server import Settings, StartError, default_data, serve

log = logging.getLogger("cloudlet")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_port(parser)
    parser.add_argument("--data", type=Path, help=f"the data folder (default: $CLOUDLET_DATA or {default_data()})")
    parser.add_argument("--host", default="localhost", help="the address to listen on (default: localhost)")
    parser.add_argument(
        "--auth",
        choices=("open", "strict"),
        default="open",
        help="open (default): an unknown access key is the root of its account; strict: it is refused, and permissions "
        "are enforced. A known key's signature is verified in both",
    )
    parser.add_argument("--services", help="the blocks that may be used, separated by commas (default: all)")
    parser.add_argument("--ephemeral", action="store_true", help="keep nothing: a temporary folder, no disk syncs")
    parser.add_argument(
        "--root-key",
        action="append",
        default=[],
        type=_root_key,
        metavar="ACCOUNT:KEY:SECRET",
        help="an access key of an account's root; may be repeated (also $CLOUDLET_ROOT_KEYS, separated by spaces, or "
        "keys.json in the data folder)",
    )
    parser.add_argument("--tls", action="store_true", help="listen with TLS, with a certificate of a local authority")
    parser.add_argument("--tls-cert", type=Path, help="listen with TLS, with this certificate (PEM)")
    parser.add_argument("--tls-key", type=Path, help="the key of --tls-cert (PEM)")
    parser.add_argument("--log-format", choices=("text", "json"), default="text", help="how log lines are written")
    parser.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default="warning",
        help="info shows every request (default: warning)",
    )
    parser.add_argument("-d", "--detach", action="store_true", help="run in the background; return once it is ready")


def _root_key(text: str) -> RootKey:
    try:
        return RootKey.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def run(options: argparse.Namespace) -> int:
    if (options.tls_cert is None) != (options.tls_key is None):
        return fail("--tls-cert and --tls-key go together", EXIT_USAGE)
    if options.ephemeral and options.data is not None:
        return fail("--ephemeral keeps nothing, so it takes no --data", EXIT_USAGE)
    services = _services(options.services)
    if isinstance(services, str):
        return fail(services, EXIT_USAGE)
    if options.detach:
        return _detach(Path(tempfile.gettempdir()) if options.ephemeral else options.data or default_data())
    _set_up_logging(options.log_format, options.log_level)
    settings = Settings(
        data=(options.data or default_data()).absolute(),
        host=options.host,
        port=options.port,
        auth=options.auth,
        services=services,
        ephemeral=options.ephemeral,
        root_keys=(
            *options.root_key,
            *(RootKey.parse(key) for key in os.environ.get("CLOUDLET_ROOT_KEYS", "").split()),
        ),
        tls=options.tls,
        tls_certificate=options.tls_cert,
        tls_key=options.tls_key,
    )

    def ready(running: Running) -> None:
        if options.log_format == "json":
            log.critical(
                "listening on %s", running.endpoint, extra={"endpoint": running.endpoint, "data": running.data}
            )
        kept = "kept nowhere: removed at the end" if settings.ephemeral else running.data
        strict = settings.auth == "strict"
        print(f"Cloudlet {cloudlet.__version__}")
        print(f"  listening on  {running.endpoint}")
        print(f"  data          {kept}")
        print(f"  auth          {'strict' if strict else 'open (on this machine, unknown keys are let in)'}")
        if running.authority is not None:
            print(f"  trust         AWS_CA_BUNDLE={running.authority}")
        print("Ready.", flush=True)

    try:
        _run(serve(settings, ready))
    except StartError as error:
        return fail(str(error), EXIT_FAILED)
    return EXIT_OK


def _run(main: object) -> None:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)  # type: ignore[arg-type]


def _services(text: str | None) -> frozenset[str] | str | None:
    """Return the blocks that were asked for, or what is wrong with them."""
    if text is None:
        return None
    from cloudlet.core.cloud import built

    names = frozenset(name.strip() for name in text.split(",") if name.strip())
    unknown = sorted(names - built().keys())
    if unknown:
        return f"there is no block {', '.join(unknown)}; there are {', '.join(sorted(built()))}"
    return names


def _detach(folder: Path) -> int:
    """Start the same command in a session of its own, and wait until it is ready or has failed."""
    command = [sys.executable, "-m", "cloudlet", *(word for word in sys.argv[1:] if word not in ("-d", "--detach"))]
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "cloudlet.log"
    with file.open("ab") as errors:
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


def _set_up_logging(form: str, level: str) -> None:
    handler = logging.StreamHandler()
    if form == "json":
        from cloudlet.cli.logs import JsonFormatter

        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler])
