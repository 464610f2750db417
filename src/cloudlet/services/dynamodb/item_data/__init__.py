"""Items: keys, attribute values, index rows, and their JSON."""
