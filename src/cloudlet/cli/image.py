"""`cloudlet image`."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from cloudlet.cli import EXIT_OK, CommandError, add_port, admin, base_images, fail
from cloudlet.cli.image_sources import open_source
from cloudlet.cli.registry_client import Registry

_BASES = {"busybox": base_images.make_busybox, "python": base_images.make_python}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_port(parser)
    parser.add_argument("action", choices=("import", "base"), help="put an image into ECR, or make a small one there")
    parser.add_argument(
        "what",
        help="an archive of docker save or podman save, or an OCI layout, as a folder or archive; busybox or python",
    )
    parser.add_argument("name", nargs="?", help="the repository, and the tag if it is not latest (NAME[:TAG])")
    parser.add_argument(
        "--account", help="the access key id: 12 digits are that account (default: that of the environment)"
    )
    parser.add_argument("--region", help="the region (default: that of the environment, else us-east-1)")


def run(options: argparse.Namespace) -> int:
    if options.action == "base" and options.what not in _BASES:
        return fail(f"there are the base images {' and '.join(_BASES)}", 2)
    if options.action == "import" and not options.name:
        return fail("image import takes an archive or a layout, and a name", 2)
    folders, slash, last = (options.name or options.what).rpartition("/")
    name, _, tag = last.partition(":")
    name = f"{folders}{slash}{name}"
    registry = Registry.log_in(admin.running_on(options.port), options.account, options.region)
    if options.action == "import":
        return _push(registry, Path(options.what), name, tag)
    with tempfile.TemporaryDirectory() as folder:
        try:
            _BASES[options.what](Path(folder))
        except OSError as error:
            raise CommandError(str(error)) from error
        return _push(registry, Path(folder), name, tag)


def _push(registry: Registry, path: Path, name: str, tag: str) -> int:
    if not path.exists():
        return fail(f"{path} is not there")
    with open_source(path) as source:
        image = source.find_image(tag)
        uri = registry.create_repository(name)
        registry.push(source, image, name, tag or "latest")
    print(f"{uri}:{tag or 'latest'}  {image.digest}")
    return EXIT_OK
