"""Images of functions that need nothing but a shell, and speak the Runtime API with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cloudlet.testing.server import Aws
from tests.engines.images.layouts import Layout, entry, folder, link
from tests.engines.images.machine import BASH, layer
from tests.services.lambda_.cloud import FunctionCloud

_BOOTSTRAP = """#!/bin/bash
# Answers what is told by its image and its surroundings, and the event.
IFS=: read -r host port <<< "$AWS_LAMBDA_RUNTIME_API"
exec 3<> "/dev/tcp/$host/$port"
base=/2018-06-01/runtime
while printf 'GET %s/invocation/next HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' $base >&3; do
  length=0
  while IFS= read -r line <&3; do
    line=${line%$'\\r'}
    [ -z "$line" ] && break
    case ${line,,} in
      content-length:*) length=${line##*: } ;;
      lambda-runtime-aws-request-id:*) id=${line##*: } ;;
    esac
  done
  IFS= read -r -N "$length" event <&3
  [ "$event" = '"exit"' ] && exit 7
  written=no
  { echo x > /written; } 2> /dev/null && written=yes
  echo mine > /tmp/mine
  read -r mine < /tmp/mine
  echo "serving $id"
  read -r revision < /srv/revision
  said='"arguments": "%s", "folder": "%s", "color": "%s", "size": "%s", "handler": "%s", "user": %d, "root": "%s"'
  said="{$said, \\"written\\": \\"%s\\", \\"mine\\": \\"%s\\", \\"revision\\": \\"%s\\", \\"event\\": %s}"
  answer=$(printf "$said" "$*" "$PWD" "$COLOR" "$SIZE" "${_HANDLER-none}" "$UID" "$(echo /*)" $written "$mine" \\
    "$revision" "$event")
  printf 'POST %s/invocation/%s/response HTTP/1.1\\r\\nHost: x\\r\\n' $base "$id" >&3
  printf 'Content-Length: %d\\r\\n\\r\\n%s' ${#answer} "$answer" >&3
  length=0
  while IFS= read -r line <&3; do
    line=${line%$'\\r'}
    [ -z "$line" ] && break
    case ${line,,} in content-length:*) length=${line##*: } ;; esac
  done
  IFS= read -r -N "$length" _ <&3
done
"""
CONFIG = {
    "Env": ["PATH=/bin", "COLOR=red", "SIZE=small"],
    "Entrypoint": [BASH, "/srv/bootstrap"],
    "Cmd": ["app.handler"],
    "WorkingDir": "/srv",
}


class Images(NamedTuple):
    """The images of a Cloudlet with this data folder."""

    data: Path

    def make(
        self,
        name: str = "shop",
        tag: str = "latest",
        revision: str = "1",
        files: Sequence[tuple[Any, bytes]] = (),
        **config: Any,
    ) -> str:
        """Make an image, or another one of the same name; return the digest of its manifest."""
        path = self.data / "images" / name
        layout = Layout(path)
        more = layer(
            folder("srv"),
            entry("srv/bootstrap", _BOOTSTRAP.encode()),
            entry("srv/revision", revision.encode()),
            link("linked", "/srv"),
            *files,
        )
        return layout.image(more, tag=tag, config={**CONFIG, **config}, stored=[more])


class ImageCloud(FunctionCloud):
    """An account on a Cloudlet that has images."""

    def __init__(self, aws: Aws, images: Images) -> None:
        super().__init__(aws)
        self.images = images

    def contained(self, name: str = "f", uri: str = "oci:shop", **more: Any) -> Any:
        """Create a function of an image."""
        return self.function(name, Runtime=None, Handler=None, PackageType="Image", Code={"ImageUri": uri}, **more)
