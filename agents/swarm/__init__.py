"""Sub-agents on a model: one ACP agent that holds hundreds of sessions in one process, and ends each by fixed rules.

No Django: it runs where the connector runs, and speaks to the workspace as any other agent does.
"""

__version__ = "0.1.0"
