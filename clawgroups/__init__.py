"""What happens in a workspace, every door to it, and the project's wiring."""
