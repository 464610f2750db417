"""Container images: read from a layout, checked, and unpacked into a folder that a sandbox can have as its root.

OCI image specification 1.1 (https://github.com/opencontainers/image-spec): "Image Layout", "Image Index", "Image
Manifest", "Image Configuration", "Filesystem Layers". Manifests as Docker writes them (version 2, schema 2) are the
same but for their media types, and are taken too. All of it waits for the disk: call it in a thread.

What an image says is not trusted: digests are verified, everything is bounded, no file is written outside the folder,
and there are no devices, pipes or set-user-id programs in it. Files are whoever's who unpacks; extended attributes are
left out.
"""

from cloudlet.engines.images.documents import Config, Descriptor, Image, ImageError, Platform
from cloudlet.engines.images.layout_blobs import Blobs, Folder
from cloudlet.engines.images.resolving import load, resolve
from cloudlet.engines.images.tree import resolve_path
from cloudlet.engines.images.unpacking import LARGEST_BYTES, unpack

__all__ = [
    "LARGEST_BYTES",
    "Blobs",
    "Config",
    "Descriptor",
    "Folder",
    "Image",
    "ImageError",
    "Platform",
    "load",
    "resolve",
    "resolve_path",
    "unpack",
]
