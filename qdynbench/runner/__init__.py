"""The main process of a run: plan, accuracy, race, fits. Nothing here runs in a worker."""
