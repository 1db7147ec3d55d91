"""The recurrent cell matrix_memory; imports no framework."""
