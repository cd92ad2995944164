"""Finding what plugins register."""
