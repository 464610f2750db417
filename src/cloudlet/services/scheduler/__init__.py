"""Amazon EventBridge Scheduler: calls of AWS's APIs at a time, at a rate or by a cron expression in any time zone.

What is due is written down before it is called, so that a crash loses no invocation: each takes place at least once.
Schedules are kept in the store by when they are due next, so that any number of them costs nothing while none is.

Documented in the EventBridge Scheduler User Guide and
API Reference; where Cloudlet differs: docs/services/scheduler.md.
"""
