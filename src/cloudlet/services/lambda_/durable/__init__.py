"""Durable executions: functions save their progress, wait without running, and go on.

Developer guide, "Lambda durable functions". A function that has `DurableConfig` is invoked again and again until its
execution ends: each time it gets what it has saved so far, and says whether it has finished or waits.
"""
