"""The Envoy management service, which keeps the configuration of Envoys up to date by xDS."""
