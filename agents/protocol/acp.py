"""The Agent Client Protocol, version 1, from the client's side: what we send and what we make of the answers.

The only server-side file that imports the ACP SDK. What we send is built by its models, so it is right by
construction. What we receive is read leniently from the raw object: agents differ, and an odd field must
not cost the rest of the message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import BaseModel

from agents.protocol import peer, version
from agents.protocol.peer import JsonObject
from agents.protocol.reading import (
    as_integer,
    as_object,
    as_objects,
    as_text,
    parse_form,
    parse_permission,
    parse_update,
)

# Read in `reading`, which needs no SDK; callers find all of the protocol here.
__all__ = ["parse_form", "parse_permission", "parse_update"]

if TYPE_CHECKING:
    from acp import schema
else:

    class _Schema:
        """The SDK's models take half a second to load: whoever sends frames pays for them, and no command does."""

        def __getattr__(self, name: str) -> Any:
            return getattr(import_module("acp.schema"), name)

    schema = _Schema()

STOP_REASONS = frozenset({"end_turn", "max_tokens", "max_turn_requests", "refusal", "cancelled"})


def load() -> None:
    """Load the SDK now, in a process that is going to send frames: the first one would wait for it."""
    import_module("acp.schema")


class InvalidAnswer(ValueError):
    """An agent's answer lacks what we cannot go on without."""


@dataclass(frozen=True)
class Call:
    """A method and its parameters, ready to be stored as a row and sent."""

    method: str
    params: JsonObject

    def request(self, frame_id: str) -> str:
        """The frame of this call as a request."""
        return peer.request(frame_id, self.method, self.params)

    def notification(self) -> str:
        """The frame of this call as a notification."""
        return peer.notification(self.method, self.params)


# What we send.


def initialize(server_version: str, *, title: str = "Claw Groups") -> Call:
    """The first request on a connection. We offer neither files nor terminals: they would be ours, not the
    agent's.
    """
    capabilities = schema.ClientCapabilities(
        fs=schema.FileSystemCapabilities(read_text_file=False, write_text_file=False),
        terminal=False,
        # A terminal login is shown to the agent's owner as the command to run on the agent's own machine.
        auth=schema.AuthCapabilities(terminal=True),
        elicitation=schema.ElicitationCapabilities(form=schema.ElicitationFormCapabilities()),
        plan=schema.PlanCapabilities(),
        field_meta={version.META_KEY: {"extensions": list(version.EXTENSIONS)}},
    )
    info = schema.Implementation(name="clawgroups", title=title, version=server_version)
    model = schema.InitializeRequest(
        protocol_version=version.PROTOCOL_VERSION, client_capabilities=capabilities, client_info=info
    )
    params = plain(model)
    # Newer than the models of the SDK.
    params["clientCapabilities"] |= {
        "session": {"configOptions": {"boolean": {}}, "notices": {}, "compaction": {}},
        "subagents": {},
    }
    return Call(version.INITIALIZE, params)


def authenticate(method_id: str) -> Call:
    """Have the agent sign in by one of the methods of type agent that it announced."""
    return Call(version.AUTHENTICATE, plain(schema.AuthenticateRequest(method_id=method_id)))


def logout() -> Call:
    """Have the agent sign out; only for agents whose snapshot says `logout`."""
    return Call(version.LOGOUT, plain(schema.LogoutRequest()))


def http_mcp(name: str, url: str, headers: Mapping[str, str]) -> schema.HttpMcpServer:
    """An MCP server for `session_new`; only for agents whose snapshot says `mcp_http`."""
    pairs = [schema.HttpHeader(name=key, value=value) for key, value in headers.items()]
    return schema.HttpMcpServer(type="http", name=name, url=url, headers=pairs)


def workdir_meta(session: str, files: str, key: str, task: str = "") -> JsonObject:
    """`_meta` that tells a connector with the extension "workdir" where a session's files are, and its task's key."""
    return {version.META_KEY: {"session": session, "files": files, "key": key, **({"task": task} if task else {})}}


def session_new(cwd: str, *, mcp_servers: Sequence[schema.HttpMcpServer] = (), meta: JsonObject | None = None) -> Call:
    """Open a session. `cwd` is absolute and on the agent's machine, or a placeholder when `meta` names a
    workdir.
    """
    model = schema.NewSessionRequest(cwd=cwd, mcp_servers=list(mcp_servers), field_meta=meta)
    return Call(version.SESSION_NEW, plain(model))


def session_load(
    session_id: str,
    cwd: str,
    *,
    mcp_servers: Sequence[schema.HttpMcpServer] = (),
    meta: JsonObject | None = None,
) -> Call:
    """Open a stored session again; the agent replays its whole history before it answers."""
    model = schema.LoadSessionRequest(session_id=session_id, cwd=cwd, mcp_servers=list(mcp_servers), field_meta=meta)
    return Call(version.SESSION_LOAD, plain(model))


def session_resume(
    session_id: str,
    cwd: str,
    *,
    mcp_servers: Sequence[schema.HttpMcpServer] = (),
    meta: JsonObject | None = None,
) -> Call:
    """Open a stored session again without a replay."""
    model = schema.ResumeSessionRequest(session_id=session_id, cwd=cwd, mcp_servers=list(mcp_servers), field_meta=meta)
    return Call(version.SESSION_RESUME, plain(model))


def session_list() -> Call:
    """Ask which sessions the agent has stored; only for agents whose snapshot says `list`."""
    return Call(version.SESSION_LIST, plain(schema.ListSessionsRequest()))


def session_close(session_id: str) -> Call:
    """Free what a session holds; only for agents whose snapshot says `close`."""
    return Call(version.SESSION_CLOSE, plain(schema.CloseSessionRequest(session_id=session_id)))


def set_mode(session_id: str, mode_id: str) -> Call:
    """Put a session into one of the modes it offered."""
    return Call(version.SET_MODE, plain(schema.SetSessionModeRequest(session_id=session_id, mode_id=mode_id)))


def set_config_option(session_id: str, config_id: str, value: str | bool) -> Call:
    """Set one of the options that a session offered; the answer holds them all."""
    model: BaseModel
    if isinstance(value, bool):
        model = schema.SetSessionConfigOptionBooleanRequest(
            type="boolean", session_id=session_id, config_id=config_id, value=value
        )
    else:
        model = schema.SetSessionConfigOptionSelectRequest(session_id=session_id, config_id=config_id, value=value)
    return Call(version.SET_CONFIG_OPTION, plain(model))


def text_block(text: str) -> schema.TextContentBlock:
    """A prompt block of text."""
    return schema.TextContentBlock(type="text", text=text)


def link_block(
    name: str, uri: str, *, mime_type: str | None = None, size: int | None = None
) -> schema.ResourceContentBlock:
    """A prompt block that points to a file; every agent accepts it."""
    return schema.ResourceContentBlock(type="resource_link", name=name, uri=uri, mime_type=mime_type, size=size)


def image_block(data_base64: str, mime_type: str) -> schema.ImageContentBlock:
    """A prompt block with a picture; only for agents whose snapshot says `image`."""
    return schema.ImageContentBlock(type="image", data=data_base64, mime_type=mime_type)


def text_resource(name: str, text: str, mime_type: str) -> schema.EmbeddedResourceContentBlock:
    """A prompt block that holds a small text file; only for agents whose snapshot says `embedded`."""
    held = schema.TextResourceContents(uri=name, text=text, mime_type=mime_type)
    return schema.EmbeddedResourceContentBlock(type="resource", resource=held)


PromptBlock: TypeAlias = "schema.TextContentBlock | schema.ResourceContentBlock | schema.ImageContentBlock"


def session_prompt(session_id: str, blocks: Iterable[PromptBlock], *, task: JsonObject | None = None) -> Call:
    """Start a turn; `task` goes to every agent as `_meta.clawgroups.task`."""
    meta = None if task is None else {version.META_KEY: {"task": task}}
    model = schema.PromptRequest(session_id=session_id, prompt=list(blocks), field_meta=meta)
    return Call(version.SESSION_PROMPT, plain(model))


def session_cancel(session_id: str) -> Call:
    """End the running turn (a notification); its prompt is still answered."""
    return Call(version.SESSION_CANCEL, plain(schema.CancelNotification(session_id=session_id)))


def permission_selected(option_id: str) -> JsonObject:
    """The result for a permission request that was decided; `option_id` must be one that was offered."""
    chosen = schema.AllowedOutcome(outcome="selected", option_id=option_id)
    return plain(schema.RequestPermissionResponse(outcome=chosen))


def permission_cancelled() -> JsonObject:
    """The result for a permission request that nobody will decide any more."""
    return plain(schema.RequestPermissionResponse(outcome=schema.DeniedOutcome(outcome="cancelled")))


# What comes back.


@dataclass(frozen=True)
class AgentSnapshot:
    """What an agent said of itself in `initialize`."""

    protocol_version: int
    name: str = ""
    title: str = ""
    version: str = ""
    load: bool = False
    resume: bool = False
    image: bool = False
    audio: bool = False
    embedded: bool = False
    mcp_http: bool = False
    mcp_sse: bool = False
    list_sessions: bool = False
    close: bool = False
    delete: bool = False
    fork: bool = False
    logout: bool = False
    auth_methods: tuple[JsonObject, ...] = ()
    raw: JsonObject = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class NewSession:
    """A session the agent has opened."""

    session_id: str
    modes: JsonObject | None = None
    config_options: tuple[JsonObject, ...] = ()


@dataclass(frozen=True)
class PromptResult:
    """How a turn ended: a stop reason of ACP 1, or "unknown" for any other word (which is then in `raw`)."""

    stop_reason: str
    meta: JsonObject = field(default_factory=dict)
    raw: Any = None


def parse_initialize(result: Any) -> AgentSnapshot:
    """Read the answer to `initialize`; protocol version 0 means that it is not one."""
    raw = as_object(result)
    capabilities = as_object(raw.get("agentCapabilities"))
    prompt = as_object(capabilities.get("promptCapabilities"))
    info = as_object(raw.get("agentInfo"))
    sessions = as_object(capabilities.get("sessionCapabilities"))
    mcp = as_object(capabilities.get("mcpCapabilities"))
    return AgentSnapshot(
        protocol_version=as_integer(raw.get("protocolVersion")) or 0,
        name=as_text(info.get("name")),
        title=as_text(info.get("title")),
        version=as_text(info.get("version")),
        load=capabilities.get("loadSession") is True,
        resume=_announces(sessions, "resume"),
        image=prompt.get("image") is True,
        audio=prompt.get("audio") is True,
        embedded=prompt.get("embeddedContext") is True,
        mcp_http=mcp.get("http") is True,
        mcp_sse=mcp.get("sse") is True,
        list_sessions=_announces(sessions, "list"),
        close=_announces(sessions, "close"),
        delete=_announces(sessions, "delete"),
        fork=_announces(sessions, "fork"),
        logout=_announces(as_object(capabilities.get("auth")), "logout"),
        auth_methods=as_objects(raw.get("authMethods")),
        raw=raw,
    )


def _announces(capabilities: JsonObject, name: str) -> bool:
    """An empty object announces a capability; only null, false and absence do not."""
    return capabilities.get(name) not in (None, False)


def parse_new_session(result: Any) -> NewSession:
    """Read the answer to `session/new`; raises InvalidAnswer when it names no session."""
    raw = as_object(result)
    session_id = raw.get("sessionId")
    if not isinstance(session_id, str) or not session_id:
        raise InvalidAnswer("the agent opened a session without a sessionId")
    modes = raw.get("modes")
    return NewSession(session_id, modes if isinstance(modes, dict) else None, as_objects(raw.get("configOptions")))


def parse_prompt(result: Any) -> PromptResult:
    """Read the answer to `session/prompt`."""
    raw = as_object(result)
    reason = raw.get("stopReason")
    known = reason if isinstance(reason, str) and reason in STOP_REASONS else "unknown"
    return PromptResult(known, as_object(raw.get("_meta")), result)


def plain(model: BaseModel) -> JsonObject:
    """A part of the protocol as JSON."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)
