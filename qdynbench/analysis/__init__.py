"""What follows from a run, as data: selection, comparison, ranking, verdicts. Nothing here prints or draws."""
