"""The built-in metrics, one idea a file, all in torch and in double precision on the device of the states."""
