"""Reference, certification and metrics: pure, no process and no message."""
