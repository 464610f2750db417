"""Polling queues and streams, as event source mappings and EventBridge Pipes do: batch by batch, at least once.

A message is deleted, and a stream's position moved on, only after what came of it has been taken.
"""
