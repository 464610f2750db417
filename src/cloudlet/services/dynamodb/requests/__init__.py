"""Requests for items: reads, writes, batches, transactions, and their capacity."""
