"""The catalogue: what implementations are known to do otherwise, and how to test it.

`weights`, `equations`, `sequence`, `outcome` and `precision` name conventions, each of
its kind; `hypothesis` has what they are made of.
"""
