"""HTTP APIs: from a request to its route, who may use it, what answers it."""
