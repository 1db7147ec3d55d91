"""What is on disk, and what of a file from anyone is read at all."""
