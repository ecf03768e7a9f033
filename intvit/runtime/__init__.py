"""Load integer models and run them."""
