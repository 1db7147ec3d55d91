"""Legal implementations of a cell, drawn and searched: what a bound has to allow."""
