// The counterpart on the TypeScript SDK: the same agent as scribe.py, with the same words to the test on stderr.
import path from "node:path";
import { Readable, Writable } from "node:stream";
import * as acp from "../../fixtures/acp/sdk.mjs";

const { agent: calls, client: asks } = acp.methods;
const options = [
  { optionId: "go", name: "Do it", kind: "allow_once" },
  { optionId: "stay", name: "Leave it", kind: "reject_once" },
];
const said = new Map();
const stopped = new Map();
let asksForms = false;
let effort = "low";

const note = (called, more = {}) => process.stderr.write(`${JSON.stringify({ called, ...more })}\n`);
const text = (words, sessionUpdate = "agent_message_chunk") => ({ sessionUpdate, content: { type: "text", text: words } });
const plan = (status) => ({ sessionUpdate: "plan", entries: [{ content: "Write", priority: "high", status }] });
const levels = ["low", "high"].map((value) => ({ value, name: value }));
const configOptions = () => [
  { id: "effort", name: "Effort", category: "thought_level", type: "select", currentValue: effort, options: levels },
];

function known(sessionId) {
  if (!said.has(sessionId)) throw acp.RequestError.resourceNotFound(sessionId);
  return said.get(sessionId);
}

const tell = (client, sessionId, update) => client.notify(asks.session.update, { sessionId, update });

async function ask(client, sessionId, toolCallId, title) {
  await tell(client, sessionId, { sessionUpdate: "tool_call", toolCallId, title, kind: "edit", status: "pending" });
  const diff = { type: "diff", path: "a.md", oldText: "old", newText: "new" };
  const toolCall = { toolCallId, rawInput: { path: "a.md" }, content: [diff] };
  const { outcome } = await client.request(asks.session.requestPermission, { sessionId, toolCall, options });
  const chosen = outcome.optionId ?? outcome.outcome;
  note("answered", { call: toolCallId, chosen });
  return chosen;
}

async function whichBranch(client, sessionId) {
  const requestedSchema = { type: "object", properties: { branch: { type: "string", title: "Branch" } }, required: ["branch"] };
  const asked = { sessionId, mode: "form", message: "Which branch?", requestedSchema };
  const answer = await client.request(asks.elicitation.create, asked);
  note("filled in", { action: answer.action });
  return answer.action === "accept" ? answer.content.branch : "none";
}

async function turn(client, sessionId, prompt) {
  const words = prompt.filter((block) => block.type === "text").map((block) => block.text).join(" ").split(/\s+/);
  if (words.includes("stop")) {
    const both = Promise.all([ask(client, sessionId, "c2", "One thing"), ask(client, sessionId, "c3", "Another")]);
    await new Promise((stop) => stopped.set(sessionId, stop));
    await both;
    return { stopReason: "cancelled" };
  }
  await tell(client, sessionId, text("Let me think.", "agent_thought_chunk"));
  await tell(client, sessionId, plan("pending"));
  const chosen = await ask(client, sessionId, "c1", "Write the file");
  const done = chosen === "go" ? { status: "completed", rawOutput: { lines: 1 } } : { status: "failed" };
  await tell(client, sessionId, { sessionUpdate: "tool_call_update", toolCallId: "c1", ...done });
  if (chosen === "go") await tell(client, sessionId, plan("completed"));
  let answer = chosen === "go" ? "It is done." : "I was not allowed to.";
  if (asksForms) answer += ` Branch: ${await whichBranch(client, sessionId)}.`;
  known(sessionId).push(answer);
  for (const word of answer.split(" ")) await tell(client, sessionId, text(`${word} `));
  await tell(client, sessionId, { sessionUpdate: "usage_update", used: 10, size: 100 });
  return { stopReason: "end_turn" };
}

const scribe = acp
  .agent({ name: "scribe" })
  .onRequest(calls.initialize, ({ params }) => {
    const offered = params.clientCapabilities ?? {};
    asksForms = Boolean(offered.elicitation?.form);
    note("initialize", { version: params.protocolVersion, fs: Boolean(offered.fs?.readTextFile) });
    return {
      protocolVersion: 1,
      agentCapabilities: { loadSession: true, sessionCapabilities: { list: {}, resume: {}, close: {} } },
      agentInfo: { name: "scribe", title: "Scribe in TypeScript", version: "1.0" },
    };
  })
  .onRequest(calls.session.new, ({ params }) => {
    const sessionId = `session-${said.size + 1}`;
    said.set(sessionId, []);
    note("session/new", { absolute: path.isAbsolute(params.cwd) });
    return { sessionId, configOptions: configOptions() };
  })
  .onRequest(calls.session.load, async ({ params, client }) => {
    note("session/load", { session: params.sessionId });
    for (const words of known(params.sessionId)) await tell(client, params.sessionId, text(words));
    return { configOptions: configOptions() };
  })
  .onRequest(calls.session.resume, ({ params }) => {
    known(params.sessionId);
    note("session/resume", { session: params.sessionId });
    return { configOptions: configOptions() };
  })
  .onRequest(calls.session.list, () => ({
    sessions: [...said.keys()].map((sessionId) => ({ sessionId, cwd: "/", title: "A text" })),
  }))
  .onRequest(calls.session.close, ({ params }) => {
    note("session/close", { session: params.sessionId });
    return {};
  })
  .onRequest(calls.session.setConfigOption, ({ params }) => {
    note("session/set_config_option", { option: params.configId, value: params.value });
    effort = String(params.value);
    return { configOptions: configOptions() };
  })
  .onRequest(calls.session.prompt, ({ params, client }) => {
    note("session/prompt", { session: params.sessionId, kinds: params.prompt.map((block) => block.type) });
    return turn(client, params.sessionId, params.prompt);
  })
  .onNotification(calls.session.cancel, ({ params }) => {
    note("session/cancel", { session: params.sessionId });
    stopped.get(params.sessionId)?.();
  });

// What the SDK calls a WebSocket constructor takes headers as its third argument; Node's own takes them with the second.
class WithHeaders extends WebSocket {
  constructor(url, protocols, { headers } = {}) {
    super(url, { protocols: protocols ?? [], headers });
  }
}

const [url, key] = process.argv.slice(2);
const stream = url
  ? acp.createWebSocketStream(url, { headers: { Authorization: `Bearer ${key}` }, WebSocket: WithHeaders })
  : acp.ndJsonStream(Writable.toWeb(process.stdout), Readable.toWeb(process.stdin));
await scribe.connect(stream).closed;
