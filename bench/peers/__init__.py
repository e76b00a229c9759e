"""What is measured beside us, each in its own idiom, in an environment of its own (`bench.environment`)."""
