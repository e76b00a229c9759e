"""The server for these tests: its environment, the model that it serves, and its life."""
