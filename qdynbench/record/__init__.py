"""What a run leaves behind: validated JSON, arrays and a tidy table."""
