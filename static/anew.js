/* What loads itself anew: asked for again meanwhile, or not answered, it is loaded once more. */
(() => {
  "use strict";
  const reload = (el, type = "reload") => el.isConnected && el.dispatchEvent(new Event(type));

  // Of an element that is merged from its own answer htmx forgets what it was asked for meanwhile: the request that
  // waited, or the delay that ran. The answer may be older than what was asked for, and nothing would ask again.
  const loading = new Set(), again = new Map();
  const meets = (el, { type, target }) => target === el || el.getAttribute("hx-trigger")?.includes(`${type} from:`);
  const asked = (event) => loading.forEach((el) => meets(el, event) && again.set(el, event.target === el ? event.type : "reload"));
  for (const type of ["reload", "reload-needs", "reload-work", "stale"]) addEventListener(type, asked, true);
  addEventListener("htmx:beforeSend", ({ detail: { elt, requestConfig } }) => {
    again.delete(elt);
    if (requestConfig.verb === "get") loading.add(elt);
  });
  addEventListener("htmx:afterRequest", ({ detail: { elt } }) => {
    loading.delete(elt);
    if (again.has(elt)) setTimeout(once, 0, elt);
  });
  // Unless htmx has kept it and asked itself.
  function once(el) {
    const type = again.get(el);
    if (again.delete(el)) reload(el, type);
  }

  // What could not be loaded is tried again.
  for (const type of ["htmx:sendError", "htmx:responseError"])
    addEventListener(type, ({ detail: { elt, xhr, requestConfig } }) => {
      if (requestConfig.triggeringEvent?.type !== "reload" || (xhr.status && xhr.status < 500)) return;
      setTimeout(reload, 3000 + 3000 * Math.random(), elt);
    });
})();
