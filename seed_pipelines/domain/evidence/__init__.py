"""What proves a seed run: its report, the statement and envelope that carry it, the chain and the log of all reports."""
