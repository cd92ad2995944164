"""Running a task: plan, worker processes, clocks, fits and cells."""
