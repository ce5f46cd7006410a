"""Benchmarks, run by hand with `make bench`, never with the tests. See docs/benchmarks.md."""
