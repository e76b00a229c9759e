"""Names and numbers of the wire between the server, the connector and the agent. No imports, so that all
may use it.
"""

from typing import Final

PROTOCOL_VERSION: Final = 1
"""The ACP version we offer. Some agents answer 2 when offered more, and mean a draft by it."""

MAX_FRAME: Final = 16 * 1024 * 1024
"""Bytes in one WebSocket message, either way."""

PATH: Final = "/acp/connect"

# Extensions, announced in `Claw-Extensions` by the connector and in `_meta.clawgroups.extensions` by the
# server.
META_KEY: Final = "clawgroups"
META_CWD: Final = "cwd"
"""In the answer to a request that opened a session, by the connector: the folder that the session works in."""
EXTENSION_LINK: Final = "link"
EXTENSION_WORKDIR: Final = "workdir"
EXTENSION_POLICY: Final = "policy"
EXTENSION_TOOLS: Final = "tools"
EXTENSIONS: Final = (EXTENSION_LINK, EXTENSION_WORKDIR, EXTENSION_POLICY, EXTENSION_TOOLS)

HEADER_CONNECTOR: Final = "Claw-Connector"
HEADER_LINK: Final = "Claw-Link"
HEADER_OS: Final = "Claw-Os"
HEADER_EXTENSIONS: Final = "Claw-Extensions"
HEADER_NAME: Final = "Claw-Name"

# Notifications between server and connector; the agent never sees them, and only `DECIDED` is counted.
EXTENSION_PREFIX: Final = "_clawgroups/"
RESUME: Final = "_clawgroups/resume"
ACK: Final = "_clawgroups/ack"
REFUSED: Final = "_clawgroups/refused"
DRAINING: Final = "_clawgroups/draining"
EXITED: Final = "_clawgroups/exited"
STALE: Final = "_clawgroups/stale_attempt"
NOTED: Final = "_clawgroups/noted"
POLICY: Final = "_clawgroups/policy"
DECIDED: Final = "_clawgroups/decided"

# ACP methods we use.
INITIALIZE: Final = "initialize"
AUTHENTICATE: Final = "authenticate"
LOGOUT: Final = "logout"
SESSION_NEW: Final = "session/new"
SESSION_LOAD: Final = "session/load"
SESSION_RESUME: Final = "session/resume"
REOPENING: Final = frozenset({SESSION_LOAD, SESSION_RESUME})
OPENING: Final = REOPENING | {SESSION_NEW}
SESSION_CLOSE: Final = "session/close"
SESSION_LIST: Final = "session/list"
SET_MODE: Final = "session/set_mode"
SET_CONFIG_OPTION: Final = "session/set_config_option"
SESSION_PROMPT: Final = "session/prompt"
SESSION_CANCEL: Final = "session/cancel"
SESSION_UPDATE: Final = "session/update"
REQUEST_PERMISSION: Final = "session/request_permission"
ELICITATION: Final = "elicitation/create"
CANCEL_REQUEST: Final = "$/cancel_request"

# WebSocket close codes.
CLOSE_NORMAL: Final = 1000
CLOSE_DRAINING: Final = 1012
CLOSE_REFUSED: Final = 4401
RETIRED: Final = "retired"  # what a refusal says of an agent that never comes back
CLOSE_FORBIDDEN: Final = 4403
CLOSE_UNRESPONSIVE: Final = 4408
IGNORED_STOP: Final = "The agent did not confirm a stop."  # why a socket is closed so
CLOSE_REPLACED: Final = 4409
CLOSE_FLOOD: Final = 4429

# JSON-RPC and ACP error codes.
PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
REQUEST_CANCELLED: Final = -32800
AUTH_REQUIRED: Final = -32000
LOGIN_CODES: Final = frozenset({AUTH_REQUIRED, 401})  # some pass on the status of their provider
RESOURCE_NOT_FOUND: Final = -32002

# Our own error codes (the data each one carries in braces).
STALE_ATTEMPT: Final = -32010  # {current_epoch, kept_as}
NOT_CONTROLLER: Final = -32011
RATE_LIMITED: Final = -32012  # {retry_after}
QUARANTINED: Final = -32013
DRAINING_CODE: Final = -32014  # {retry_after}
TOO_LARGE: Final = -32015
SCOPE_DENIED: Final = -32016
