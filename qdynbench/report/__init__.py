"""Showing a run: tables, curves and the verdict in words."""
