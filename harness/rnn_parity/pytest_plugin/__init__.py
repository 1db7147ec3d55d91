"""The pytest plugin: options, items, the run and who computes what."""
