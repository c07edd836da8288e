"""The use cases: enter a seed run past its guards, generate a shard, load it, check it, report it."""
