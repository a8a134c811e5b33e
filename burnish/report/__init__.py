"""What came of the runs in a folder: `results.json` for programs, `report.html` for people."""
