"""The attacks of the doctor on the isolation of tenants: each tried in a transaction that is rolled back."""
