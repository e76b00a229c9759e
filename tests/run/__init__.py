"""What `claw test` runs: `python -m tests.run [stage ...] [pytest arguments]`."""
