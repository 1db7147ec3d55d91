"""Adapters: one package per framework, each `on_<framework>`.

A package's `__init__` holds its `BackendInfo` and imports no framework; `adapter`
imports the framework at its top and runs in a worker process only; `layout` turns the
canonical weights into the framework's own arrays and back, with NumPy alone.
"""
