"""Runs: choose cases and backends, compute, judge, write; for every face."""
