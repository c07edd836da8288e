"""Rates of every stage of the data path, measured in one run, beside what else one could do."""
