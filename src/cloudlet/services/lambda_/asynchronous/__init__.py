"""Asynchronous invocations: events that wait on disk for their functions, are tried again, and leave a record."""
