"""Tools for who writes an adapter: start one, prove it, measure its functions."""
