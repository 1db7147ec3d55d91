"""Worker processes: one for each backend, here, under another Python or by ssh."""
