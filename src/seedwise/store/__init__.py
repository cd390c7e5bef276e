"""The study file. Nothing else in seedwise speaks SQL."""
