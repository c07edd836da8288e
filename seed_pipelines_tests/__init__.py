"""Tests; the folders mirror the package, `e2e` holds those that use real servers."""
