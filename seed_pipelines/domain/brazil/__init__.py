"""Brazilian identifiers and vocabularies, as functions from arrays to arrays."""
