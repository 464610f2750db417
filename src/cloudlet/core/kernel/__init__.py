"""The kernel: blocks, their operations, the calls between them, identities, ids and time."""
