"""Revisions, oldest first by number; each runs the SQL file of its name."""
