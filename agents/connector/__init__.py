"""The program on the agent's machine: starts an ACP agent and relays it to a Claw Groups server.

Standard library and websockets only; it must run where neither Django nor the ACP SDK is installed.
"""

__version__ = "0.1.0"
