"""A study while it runs: its events, their sum, interim results, and its word to others."""
