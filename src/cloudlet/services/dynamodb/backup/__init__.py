"""Backups, point-in-time recovery, and the journal behind them."""
