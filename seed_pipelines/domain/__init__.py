"""Manifests, plans, rows, masks, checks: no I/O, no clock, no environment variables."""
