"""WebSocket APIs: the handshake, the routes of messages, and what is sent to clients through the API."""
