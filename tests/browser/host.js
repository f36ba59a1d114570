// A small MCP Apps host: the real AppBridge around one sandboxed frame, and the real client to a server.
// The page around it only remembers what the view said (window.seen), so that tests can ask.
import { AppBridge, PostMessageTransport } from "@modelcontextprotocol/ext-apps/app-bridge";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const EXTENSION = "io.modelcontextprotocol/ui";
const MIME = "text/html;profile=mcp-app";
const INFO = { name: "test-host", version: "1.0.0" };

const seen = { initialized: 0, app: null, capabilities: null, sizes: [], links: [] };
window.seen = seen;
let bridge;
let client;

/** The two halves of a host: `html` into a sandboxed frame of its own, and the bridge that speaks with it. */
window.openView = async ({ html, context = {}, acceptLinks = true }) => {
  const frame = document.createElement("iframe");
  frame.title = "view";
  frame.setAttribute("sandbox", "allow-scripts");
  frame.style.width = "100%";
  document.body.replaceChildren(frame);

  bridge = new AppBridge(client ?? null, INFO, { openLinks: {} }, { hostContext: context });
  bridge.onsizechange = (size) => {
    seen.sizes.push(size);
    frame.style.height = `${size.height}px`;
  };
  bridge.onopenlink = async ({ url }) => {
    seen.links.push(url);
    return acceptLinks ? {} : { isError: true };
  };
  const ready = new Promise((resolve) => {
    bridge.oninitialized = () => {
      seen.initialized += 1;
      seen.app = bridge.getAppVersion();
      seen.capabilities = bridge.getAppCapabilities();
      resolve();
    };
  });
  await bridge.connect(new PostMessageTransport(frame.contentWindow, frame.contentWindow));
  const response = await fetch("/frame", { method: "POST", body: html });
  frame.src = await response.text();
  await ready;
};

window.sendInput = (args) => bridge.sendToolInput({ arguments: args });
window.sendPartialInput = (args) => bridge.sendToolInputPartial({ arguments: args });
window.sendResult = (result) => bridge.sendToolResult(result);
window.sendCancelled = (reason) => bridge.sendToolCancelled({ reason });
window.changeContext = (context) => bridge.sendHostContextChange(context);
window.teardown = () => bridge.teardownResource({});
/** Any request at all, as the bridge would send it; resolves to the result or to the error's code. */
window.ask = (method, params = {}) =>
  bridge.request({ method, params }, passthrough).then((result) => ({ result }), (error) => ({ code: error.code }));
const passthrough = { "~standard": { version: 1, vendor: "test", validate: (value) => ({ value }) } };

/** As a host does it: find the tool's view, read it from the server, show it, call the tool, hand over the answer. */
window.callTool = async ({ name, args, context }) => {
  if (!client) {
    client = new Client(INFO, { capabilities: { extensions: { [EXTENSION]: { mimeTypes: [MIME] } } } });
    await client.connect(new StreamableHTTPClientTransport(new URL("/mcp", location.href)));
  }
  const { tools } = await client.listTools();
  const uri = tools.find((tool) => tool.name === name)._meta.ui.resourceUri;
  const { contents } = await client.readResource({ uri });
  if (contents[0].mimeType !== MIME) throw new Error(`not a view: ${contents[0].mimeType}`);
  await window.openView({ html: contents[0].text, context });
  await bridge.sendToolInput({ arguments: args });
  const result = await client.callTool({ name, arguments: args });
  await bridge.sendToolResult(result);
  return result;
};
