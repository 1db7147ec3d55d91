"""What a backend must agree with itself about."""
