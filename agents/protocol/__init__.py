"""How we speak with agents: the wire (peer), the protocol (acp) and what it means to us (updates)."""
