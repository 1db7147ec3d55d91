"""The recurrent cell layer_norm_lstm; imports no framework."""
