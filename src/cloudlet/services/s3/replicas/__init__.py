"""Replication: rules, and the copies that they ask for."""
