"""The Envoy management service: Envoys connect to it, and have their configuration kept up to date by xDS."""
