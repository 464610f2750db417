"""Event notifications: which events a bucket tells to whom, and their delivery."""
