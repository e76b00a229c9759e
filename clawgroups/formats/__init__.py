"""Output formats: each file turns gathered material into the bytes of one kind of deliverable."""
