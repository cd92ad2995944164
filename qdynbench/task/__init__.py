"""Tasks: what is to be solved, from YAML to the concrete cases and their initial states."""
