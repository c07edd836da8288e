"""What Dagster sees: assets, checks, jobs and resources that call the use cases and add nothing to them."""
