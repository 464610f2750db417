"""The command line. Each command is a module, imported when it is asked for: `cloudlet up` must be quick."""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import sys
from collections.abc import Sequence

import cloudlet

_COMMANDS = {
    "up": "start Cloudlet and answer requests until it is stopped",
    "serve": "run one block alone, in a process of its own",
    "status": "say whether Cloudlet runs, where, and how its blocks are",
    "down": "stop a running Cloudlet",
    "env": "print the environment that points AWS clients at Cloudlet",
    "block": "stop, start or restart one block of an isolated Cloudlet",
    "clock": "show or move the time of a running Cloudlet",
    "dns": "bring zone files into hosted zones of Route 53, or out of them",
    "envoy": "print the configuration that an Envoy of App Mesh starts with, or run it",
    "snapshot": "save, restore, list or delete copies of the whole cloud",
    "image": "put a container image into ECR: an archive, a layout, or a small base image",
    "exec": "run a command at a terminal in a container of a task",
    "reset": "remove all state of a running Cloudlet, at once",
    "store": "copy all data of a stopped Cloudlet from a data folder into a PostgreSQL, or back; take over files",
    "least-policy": "write the smallest policy for what a role or user has called",
    "why": "explain why a request was denied, or list the last denials",
    "coverage": "show which of AWS's operations are built",
}
_NEED_MORE = ("block", "clock", "dns", "envoy", "exec", "image", "least-policy", "serve", "snapshot", "store")
"""Commands that do nothing by themselves."""
_MEANT = {
    "start": "`cloudlet up` starts Cloudlet, and `cloudlet block start NAME` one block of it",
    "stop": "`cloudlet down` stops Cloudlet, and `cloudlet block stop NAME` one block of it",
    "restart": "`cloudlet down` and `cloudlet up` do that, and `cloudlet block restart NAME` for one block",
    "logs": "`cloudlet up` logs to standard error; with --detach to cloudlet.log in the data folder (`cloudlet status` "
    "names it) or, with --ephemeral, to the file that it says",
}
"""Words from other programs, and the command that each may mean."""
DEFAULT_PORT = 4566
_LAST_PORT = 65_535

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_NOT_RUNNING = 3
EXIT_INTERRUPTED = 130
"""As a shell says of a program that Ctrl-C has ended."""


class CommandError(Exception):
    """The command cannot be done; the text says why, and `code` is the exit code."""

    def __init__(self, reason: str, code: int = EXIT_FAILED) -> None:
        super().__init__(reason)
        self.code = code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 1 failed, 2 misused, 3 Cloudlet does not run."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(
        prog="cloudlet",
        description="A cloud for microservices on one machine, behind AWS's own wire protocols.",
        epilog="`cloudlet COMMAND --help` tells more of each.",
    )
    parser.add_argument("--version", action="version", version=f"cloudlet {cloudlet.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    chosen = next((word for word in given if word in _COMMANDS), None)
    for name, text in _COMMANDS.items():
        # An option is written out: `up --detach` starts the same command without it, and must know it when it is there.
        command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", allow_abbrev=False)
        if name == chosen:
            # What is imported stays: the collector would look through it many times, and find nothing.
            gc.disable()
            module = importlib.import_module(f"cloudlet.cli.{name.replace('-', '_')}")
            gc.enable()
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    if not given or given in [[name] for name in _NEED_MORE]:
        # Whoever does not know what there is sees all of it.
        (commands.choices[given[0]] if given else parser).print_help(sys.stderr)
        return EXIT_USAGE
    if given[0] in _MEANT:
        return fail(f"there is no command {given[0]}: {_MEANT[given[0]]}", EXIT_USAGE)
    options, unknown = parser.parse_known_args(given)
    if unknown:
        # The command says which options it has; argparse would have the whole program say which commands there are.
        commands.choices[options.command].error(f"unrecognized arguments: {' '.join(unknown)}")
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except CommandError as error:
        return fail(str(error), error.code)
    except BrokenPipeError:
        # Whoever reads what is printed has seen enough. What is left of it must not be tried again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except OSError as error:
        # What the machine refuses is told in its own words.
        return fail(str(error))
    return code


def add_port(parser: argparse.ArgumentParser) -> None:
    """Add the option that names a running Cloudlet."""
    # What the environment says is read as if it were given, and refused alike.
    default = os.environ.get("CLOUDLET_PORT") or str(DEFAULT_PORT)
    parser.add_argument(
        "--port",
        type=port_number,
        default=default,
        help=f"the port it listens on (default: $CLOUDLET_PORT or {DEFAULT_PORT})",
    )


def port_number(text: str) -> int:
    """Return the port that an option names. Raises ArgumentTypeError."""
    if not (text.isascii() and text.isdecimal() and int(text) <= _LAST_PORT):
        raise argparse.ArgumentTypeError(f"not a port: {text!r} (0 to {_LAST_PORT})")
    return int(text)


def fail(message: str, code: int = EXIT_FAILED) -> int:
    """Say what went wrong and return the exit code."""
    print(f"cloudlet: {message}", file=sys.stderr)
    return code
