"""A run as a folder for an archive, which a reader opens without qdynbench."""
