"""How outcomes come about: one worker process per backend, fed by the engine."""
