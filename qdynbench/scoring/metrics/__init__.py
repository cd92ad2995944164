"""The built-in metrics, computed with torch in double precision on the device of the states."""
