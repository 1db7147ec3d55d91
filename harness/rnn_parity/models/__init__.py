"""Recurrent layers out of files that frameworks wrote: a module for each format."""
