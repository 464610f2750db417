"""Files of the certificate authorities that programs trust, in PEM."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

_OF_MACHINES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where Debian, Fedora, SUSE and Alpine have the authorities that they trust."""
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def find_machine_authorities() -> Path | None:
    """Return the file of the authorities that the machine trusts, or of those that its Python packages do."""
    default = ssl.get_default_verify_paths().cafile
    for candidate in (*([] if default is None else [default]), *_OF_MACHINES):
        if Path(candidate).is_file():
            return Path(candidate)
    for package in ("certifi", "botocore"):
        spec = find_spec(package)
        found = None if spec is None or spec.origin is None else Path(spec.origin).parent / "cacert.pem"
        if found is not None and found.is_file():
            return found
    return None


def join_authorities(own: Path, others: Iterable[Path | None]) -> bytes:
    """Return the content of a list of authorities: those of other files, each once, and `own`. Raises OSError."""
    files = [file for file in (*others, own) if file is not None]
    certificates = (certificate for file in files for certificate in _CERTIFICATE.findall(file.read_bytes()))
    return b"\n".join(dict.fromkeys(certificates)) + b"\n"
