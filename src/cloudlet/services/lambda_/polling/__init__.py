"""What event source mappings do: they poll queues and streams, and give what they find to functions, batch by batch."""
