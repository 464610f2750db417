"""Sandboxes: programs of users, run so that they see and harm nothing but themselves.

A sandbox has namespaces of its own (bubblewrap makes them), sees the system's programs and what it was given, all
read-only, and a bounded `/tmp`. What it takes of memory, processor and processes is limited by cgroups, of version 1 or
2; where the machine gives Cloudlet none, each process is limited for itself, as far as that goes
(`Sandboxes.weaknesses` says how far). System calls that a program has no business with are refused by seccomp. It
shares the machine's network, or is in a network namespace that somebody else has made.

It works as root, where each sandbox is a user of its own, and as an ordinary user, where namespaces are open to those.
Where they are not, nothing is run, unless Cloudlet was told to do without (`--sandbox none`).
"""

from cloudlet.engines.sandbox.limits import Limits
from cloudlet.engines.sandbox.roots import prepare
from cloudlet.engines.sandbox.sandboxes import Sandbox, SandboxError, Sandboxes
from cloudlet.engines.sandbox.spec import Mount, Network, Spec

__all__ = ["Limits", "Mount", "Network", "Sandbox", "SandboxError", "Sandboxes", "Spec", "prepare"]
