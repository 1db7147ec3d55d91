"""What every part agrees about: problems, what adapters see, arrays and files.

An adapter needs this package alone; it imports nothing else of ours, and no framework.
"""
