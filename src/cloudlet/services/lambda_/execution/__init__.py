"""Running functions: sandboxes, the processes in them, and what is asked of those.

A *worker* is one process of one version in its sandbox; it has at most one invocation at a time. A *pool* has the
workers of a version, as many as there are invocations at once; those at rest are kept for a while, halted. The
*nursery* has interpreters that wait in sandboxes for a function, so that a first invocation does not wait for them.
"""
