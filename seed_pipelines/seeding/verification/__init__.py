"""Verifies evidence: an envelope by itself, then against the bucket, the chain, the log and the rows."""
