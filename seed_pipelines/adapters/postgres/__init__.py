"""PostgreSQL: tenants, leases, seed runs, and the rows under row level security."""
