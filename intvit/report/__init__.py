"""Measurements for people: accuracy, where it went, what is in a model, and what this machine offers."""
