"""Containers without Docker: unpacked images that run in namespaces of their own, by bubblewrap.

`description` says what a container is, `users` gives it user ids of its own, `command` is how it is started, `output`
keeps what it prints, and `container` is one that runs.
"""
