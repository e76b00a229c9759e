"""What `make test-agents` runs: real ACP agents against the whole product, with a stub for their model."""
