"""How outcomes are judged: no framework, only saved files and float64 arithmetic."""
