"""Code: packages, layers, images, runtimes."""
