"""Stored runs and statistics put together: frozen values to print or to draw."""
