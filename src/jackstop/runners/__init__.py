"""Who drives the straight path: the same pipeline under every runner."""
