"""The agents that ship with the product: they speak ACP and connect like anybody's agent, and need no model."""

__version__ = "0.1.0"
