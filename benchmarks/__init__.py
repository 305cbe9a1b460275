"""Programs that measure snnjax; each is run as `python -m benchmarks.<name>` and prints a table. Never tests."""
