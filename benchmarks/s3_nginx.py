"""nginx, which is to be kept up with where large objects are read: it serves files, and does nothing else."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.network import free_port
from benchmarks.process import ServerProcess

START_SECONDS = 10.0
_CONFIGURATION = """\
daemon off;
worker_processes 1;
error_log stderr;
pid {folder}/nginx.pid;
user {user};
events {{ worker_connections 64; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


class NoNginx(Exception):
    """nginx is missing, or does not start."""


def ensure_installed() -> None:
    """Installs Debian's package where that is allowed; else raises NoNginx."""
    if shutil.which("nginx", path=_PATH) is not None:
        return
    if os.geteuid() == 0 and shutil.which("apt-get") is not None:
        subprocess.run(["apt-get", "install", "-y", "-qq", "nginx-light"], check=False, stdout=subprocess.DEVNULL)
    if shutil.which("nginx", path=_PATH) is None:
        raise NoNginx("nginx is missing: install it first (Debian, Ubuntu: apt-get install nginx-light)")


_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin"))


@contextmanager
def serving(root: Path, folder: Path) -> Iterator[str]:
    """Serves the files of a folder until the end of the `with` block, and has its own in another; gives its address."""
    port = free_port()
    folder.mkdir(exist_ok=True)
    configuration = folder / "nginx.conf"
    user = "root" if os.geteuid() == 0 else "nobody"
    configuration.write_text(_CONFIGURATION.format(folder=folder, port=port, root=root, user=user))
    command = [str(shutil.which("nginx", path=_PATH)), "-c", str(configuration), "-e", "stderr"]
    process = ServerProcess(command, os.environ, folder / "nginx.log", folder)
    try:
        end = time.monotonic() + START_SECONDS
        while not (folder / "nginx.pid").exists():
            if process.exit_code() is not None or time.monotonic() > end:
                raise NoNginx(f"nginx does not start: {process.log.read_text()[-1000:]}")
            time.sleep(0.01)
        yield f"127.0.0.1:{port}"
    finally:
        process.stop()
