"""Amazon EventBridge Pipes: from a queue or a table's stream, through a filter and an enrichment, to one target.

A message is deleted, and a stream's position moved on, only after the target has taken what became of it: each event
comes to the target at least once, also where something dies in between.

Documented in the EventBridge User Guide, "Amazon EventBridge Pipes", and the Pipes API Reference; where Cloudlet
differs: docs/services/pipes.md.
"""
