"""What is computed and how it is judged; no framework is imported here.

`spec` and `backend` are the contract that an adapter sees. `run` turns problems into
outcomes on disk, `judge` turns outcomes on disk into verdicts, and `session` joins the
two for the faces: the command line (`cli`) and the pytest plugin (`pytest_plugin`).
"""

__version__ = "0.1.0"
