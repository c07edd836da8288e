"""Load on the HTTP API by k6: `make load`, or `python -m seed_pipelines_tests.load`."""
