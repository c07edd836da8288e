"""The HTTP API: validates manifests, and puts seed runs into Dagster's queue."""
