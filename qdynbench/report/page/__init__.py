"""The report of runs as one HTML file that needs no network: `page.py` renders it, `data.py` packs its numbers."""
