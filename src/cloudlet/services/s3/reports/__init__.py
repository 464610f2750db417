"""Reports: access logs, inventories, metrics."""
