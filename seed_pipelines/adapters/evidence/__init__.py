"""The bucket for evidence: what is sealed there can be neither altered nor deleted until its retention ends."""
