"""Renders what `analysis` found."""
