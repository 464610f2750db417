"""Semantics that AWS's services share: ARNs, policies, tags, pages, schedules, patterns, polling."""
