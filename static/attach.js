/* Files that go along with a message or a goal: chosen, dropped or pasted. Without this file the form's own field takes them. */
(() => {
  "use strict";
  const { $, $$ } = window.claw;
  const FORM = "[data-compose]";
  const field = (form) => $("textarea", form);

  // They gather in the form's own field.
  const size = (n) => (n < 1e6 ? `${Math.ceil(n / 1000)} KB` : `${(n / 1e6).toFixed(1)} MB`);
  const same = (a) => (b) => a.name === b.name && a.size === b.size && a.lastModified === b.lastModified;
  const gathered = new WeakMap();
  function gather(input, files) {
    const all = new DataTransfer();
    files.forEach((file) => all.items.add(file));
    input.files = all.files;
    gathered.set(input, files);
    const form = input.form, list = $(".attached", form);
    list.replaceChildren(...files.map((file) => line(form, file)));
    list.hidden = !files.length;
    field(form).required = !files.length;
  }
  function line(form, file) {
    const li = $("template", form).content.firstElementChild.cloneNode(true), [, name, much] = $$("span", li), button = $("button", li);
    name.textContent = name.title = file.name;
    much.textContent = size(file.size);
    button.ariaLabel = `${button.dataset.remove}: ${file.name}`;
    button.onclick = () => {
      const input = $("[type=file]", form);
      gather(input, gathered.get(input).filter((one) => one !== file));
      field(form).focus();
    };
    if (/^image\/(png|jpeg|gif|webp|avif|bmp)$/.test(file.type) && file.size < 2e7) picture(file, $("img", li));
    return li;
  }
  async function picture(file, img) {
    const drawn = await createImageBitmap(file, { resizeHeight: 80 }).catch(() => null);
    if (!drawn) return;
    const canvas = Object.assign(document.createElement("canvas"), { width: drawn.width, height: drawn.height });
    canvas.getContext("2d").drawImage(drawn, 0, 0);
    img.src = canvas.toDataURL();
    img.hidden = false;
    img.nextElementSibling.hidden = true;
  }
  addEventListener("change", ({ target }) => {
    if (target.name === "mode") return carry();
    if (target.type !== "file" || !target.matches(`${FORM} *`)) return;
    const { most, mostSaid } = target.form.dataset, trouble = $("[data-trouble]", target.form), known = gathered.get(target) || [];
    const all = [...known, ...[...target.files].filter((file) => !known.some(same(file)))], large = all.filter((file) => file.size > +most);
    trouble.textContent = large.length ? `${large.map((file) => `${file.name} (${size(file.size)})`).join(", ")}: ${trouble.dataset.trouble}, ${trouble.dataset.atMost} ${mostSaid}` : "";
    trouble.hidden = !large.length;
    gather(target, all.filter((file) => !large.includes(file)));
  });
  addEventListener("paste", (event) => {
    const form = event.target.closest?.(FORM), files = [...event.clipboardData.files];
    if (!form || !files.length) return;
    event.preventDefault();
    const now = new Date().toTimeString().slice(0, 8).replaceAll(":", "-"), all = new DataTransfer();
    files.forEach((file) => all.items.add(file.name === "image.png" ? new File([file], `pasted ${now}.png`, { type: file.type }) : file));
    const input = $("[type=file]", form);
    input.files = all.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
  addEventListener("htmx:xhr:progress", ({ target, detail }) => {
    const bar = target.matches?.(FORM) && $("progress", target);
    if (bar && detail.total && !$(".attached", target).hidden) { bar.hidden = false; bar.value = detail.loaded / detail.total; }
  });
  addEventListener("htmx:afterRequest", ({ detail }) => {
    const form = detail.elt.matches?.(FORM) && detail.elt;
    if (!form) return;
    $("progress", form).hidden = true;
    if (!detail.successful || detail.xhr.status >= 400) return;
    // What was added while these were on the way waits for the next message.
    const input = $("[type=file]", form), sent = detail.requestConfig.formData.getAll("files");
    gather(input, (gathered.get(input) || []).filter((file) => !sent.some(same(file))));
  });

  // What was written and gathered goes along when a message becomes a goal, or a goal a message.
  function carry() {
    const goal = $("#goal-form"), form = $(FORM), toGoal = $("#mode-goal").checked, [from, to] = toGoal ? [form, goal] : [goal, form];
    if (!field(to).value.trim()) for (const [one, text] of [[to, field(from).value], [from, ""]]) {
      field(one).value = text;
      field(one).dispatchEvent(new Event("input", { bubbles: true }));
    }
    const [source, target] = [$("[type=file]", from), $("[type=file]", to)], all = new DataTransfer();
    [...target.files, ...source.files].forEach((file) => all.items.add(file));
    if (source.files.length) {
      target.files = all.files;
      toGoal ? gather(source, []) : (source.value = "");
      target.dispatchEvent(new Event("change", { bubbles: true }));
    }
  }
})();
