"""Product formulas: gates, what makes a program of them, and the compiled loops that work it off."""
