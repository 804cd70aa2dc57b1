// Puts fresh parts of the overview in the place of old ones. Without this script a reload does the same.
"use strict";

const live = document.getElementById("live");
const state = document.getElementById("live-state");

async function refresh(part) {
  if (document.hidden || !live.checked) return;
  let fresh;
  try {
    const answer = await fetch(part.dataset.from, { headers: { accept: "text/html" } });
    if (!answer.ok) throw new Error(answer.statusText);
    fresh = await answer.text();
  } catch {
    state.textContent = "The gateway does not answer; what you see may be old.";
    return;
  }
  if (state.textContent) state.textContent = "";
  if (!live.checked || fresh === part.shown) return;
  replace(part, fresh);
}

// Keeps what a reader is at: the focused link and opened details. If the link is gone, the part waits.
function replace(part, fresh) {
  const held = part.contains(document.activeElement) ? document.activeElement.id : "";
  const wrap = document.createElement("div");
  wrap.innerHTML = fresh; // made by our own server, which escapes what comes from outside
  if (held && !wrap.querySelector(`#${CSS.escape(held)}`)) return;
  for (const open of part.querySelectorAll("details[open]")) {
    const same = wrap.querySelector(`#${CSS.escape(open.id)}`);
    if (same) same.open = true;
  }
  part.replaceChildren(...wrap.childNodes);
  part.shown = fresh;
  if (held) document.getElementById(held).focus({ preventScroll: true });
}

if (live) {
  live.closest("[hidden]").hidden = false;
  for (const part of document.querySelectorAll("[data-from]")) {
    setInterval(refresh, 1000 * Number(part.dataset.every), part);
  }
}
