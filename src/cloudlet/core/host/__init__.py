"""The machine that Cloudlet runs on: data and temporary folders, certificates, the environment."""
