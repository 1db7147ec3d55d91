"""Checks of the tool's own sharpness: mutation tests, and metamorphic relations."""
