"""How far elementwise functions are off, beside what backends state."""
