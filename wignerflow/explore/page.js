"use strict";
// The explorer's page: the model file goes to the server on this machine, curves come back.
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
const el = (id) => document.getElementById(id);
const results = {};
let turn = 0;

el("text").value = DATA.text;
for (const name of DATA.methods) {
  const label = document.createElement("label"), box = document.createElement("input");
  Object.assign(box, { type: "checkbox", value: name, checked: ["twa", "exact"].includes(name) });
  label.append(box, " " + name);
  el("methods").append(label);
}

const chosen = () => [...document.querySelectorAll("#methods input:checked")].map((b) => b.value);

async function ask(path, body) {
  const reply = await fetch(path, { method: "POST", body: JSON.stringify({ text: el("text").value, ...body }) });
  if (reply.ok) return reply;
  const said = await reply.json().catch(() => ({ error: `the server answered ${reply.status}` }));
  throw new Error(said.error);
}

// An error names its place, such as `model.jumps[1].rate` or "at line 3": the cursor goes there.
function showError(message) {
  el("error").textContent = message;
  const line = /line (\d+)/.exec(message);
  const named = [...message.matchAll(/`([\w.[\]]+)`/g)].map((m) => m[1]);
  const place = (message.startsWith("In ") ? named.slice(0, 2).join(".") : named[0] || "").replace(/^model\./, "");
  const lines = el("text").value.split("\n");
  let at = -1;
  if (line) at = Number(line[1]) - 1;
  else if (place) {
    const [, table, index, key] = /^(\w+)(?:\[(\d+)\])?(?:\.(\w+))?/.exec(place) || [];
    let seen = -1;
    for (let k = 0; k < lines.length && at < 0; k++) {
      const head = /^\s*\[\[?([\w.-]+)\]\]?/.exec(lines[k]);
      if (head && head[1] === table) seen += 1;
      if (seen === Number(index || 0) && (!key ? head : new RegExp(`^\\s*${key}\\s*=`).test(lines[k]))) at = k;
    }
  }
  if (at < 0) return;
  const start = lines.slice(0, at).join("\n").length + (at ? 1 : 0);
  el("text").focus();
  el("text").setSelectionRange(start, start + lines[at].length);
}

function say(id, text, wrong) {
  let line = document.getElementById("say-" + id);
  if (!line) {
    line = Object.assign(document.createElement("li"), { id: "say-" + id });
    el("progress").append(line);
  }
  line.textContent = text;
  line.className = wrong ? "error" : "";
}

async function run() {
  const mine = ++turn;
  el("error").textContent = "";
  el("progress").textContent = "";
  for (const name of Object.keys(results)) delete results[name];
  draw();
  try {
    const said = await (await ask("check", {})).json();
    el("model").textContent = said.model;
  } catch (error) {
    showError(error.message);
    return;
  }
  await Promise.all(chosen().map(async (method) => {
    const start = performance.now();
    const clock = setInterval(() => say(method, `${method}: running, ${((performance.now() - start) / 1000).toFixed(0)} s`), 500);
    say(method, `${method}: running`);
    try {
      const found = await (await ask("run", { method })).json();
      if (mine !== turn) return;
      results[method] = found;
      const ntraj = found.ntraj ? `, ${found.ntraj} trajectories` : "";
      say(method, [`${method}: ${found.seconds.toPrecision(2)} s${ntraj}`, ...found.notes].join("; "));
      draw();
    } catch (error) {
      if (mine === turn) say(method, `${method}: ${error.message}`, true);
    } finally {
      clearInterval(clock);
    }
  }));
}

function draw() {
  el("plots").textContent = "";
  const names = [...new Set(Object.values(results).flatMap((r) => Object.keys(r.curves)))];
  for (const name of names) el("plots").append(plot(name));
}

const SPACE = "http://www.w3.org/2000/svg";
function piece(kind, attributes, text) {
  const out = document.createElementNS(SPACE, kind);
  for (const [k, v] of Object.entries(attributes)) out.setAttribute(k, v);
  if (text !== undefined) out.textContent = text;
  return out;
}

function plot(name) {
  const W = 640, H = 260, left = 72, right = 12, top = 26, bottom = 30;
  const svg = piece("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `${name} over time` });
  const methods = Object.keys(results).filter((m) => name in results[m].curves);
  const finite = methods.flatMap((m) => results[m].curves[name][0]).filter((y) => y !== null);
  let low = Math.min(...finite), high = Math.max(...finite);
  if (!(high > low)) [low, high] = [low - 1, high + 1];
  const t = results[methods[0]].times, t0 = t[0], t1 = t[t.length - 1];
  const x = (v) => left + ((v - t0) / (t1 - t0)) * (W - left - right);
  const y = (v) => H - bottom - ((v - low) / (high - low)) * (H - top - bottom);
  svg.append(piece("rect", { x: left, y: top, width: W - left - right, height: H - top - bottom, fill: "none", stroke: "#666" }));
  svg.append(piece("text", { x: left, y: 17, "font-size": 13, "font-weight": "bold" }, name));
  for (const v of [low, (low + high) / 2, high]) svg.append(piece("text", { x: left - 6, y: y(v) + 4, "font-size": 12, "text-anchor": "end" }, Number(v.toPrecision(3))));
  svg.append(piece("text", { x: x((3 * t0 + t1) / 4), y: H - 10, "font-size": 12, "text-anchor": "middle" }, "time"));
  for (const v of [t0, (t0 + t1) / 2, t1]) svg.append(piece("text", { x: x(v), y: H - 10, "font-size": 12, "text-anchor": v === t1 ? "end" : "middle" }, Number(v.toPrecision(3))));
  methods.forEach((m, k) => {
    const colour = m === "exact" ? "#1c1c20" : COLOURS[DATA.methods.indexOf(m) % COLOURS.length], [mean, sem, own] = results[m].curves[name];
    const keep = mean.map((v, i) => (v === null ? -1 : i)).filter((i) => i >= 0);
    const up = keep.map((i) => `${x(t[i])},${y(mean[i] + (sem[i] || 0))}`), down = keep.map((i) => `${x(t[i])},${y(mean[i] - (sem[i] || 0))}`).reverse();
    svg.append(piece("polygon", { points: [...up, ...down].join(" "), fill: colour, opacity: 0.25 }));
    for (const sign of own.some((v) => v > 0) ? [1, -1] : []) // the method's own error
      svg.append(piece("polyline", { points: keep.filter((i) => own[i] !== null).map((i) => `${x(t[i])},${y(mean[i] + sign * own[i])}`).join(" "), fill: "none", stroke: colour, "stroke-width": 1, "stroke-dasharray": "1 3" }));
    const dash = m === "exact" ? { "stroke-dasharray": "6 4" } : {};
    svg.append(piece("polyline", { points: keep.map((i) => `${x(t[i])},${y(mean[i])}`).join(" "), fill: "none", stroke: colour, "stroke-width": 2, ...dash }));
    svg.append(piece("text", { x: W - right - 4, y: top + 16 + 15 * k, "font-size": 12, "text-anchor": "end", fill: colour }, m));
  });
  return svg;
}

async function live() {
  el("error").textContent = "";
  say("live", "live page: being made");
  try {
    const page = await (await ask("live", {})).blob();
    const frame = Object.assign(document.createElement("iframe"), { title: "Live page", src: URL.createObjectURL(page) });
    el("page").replaceChildren(frame);
    say("live", "live page: below the curves");
  } catch (error) {
    say("live", "live page: none");
    showError(error.message);
  }
}

function download(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

async function save(kind) {
  el("error").textContent = "";
  const method = chosen()[0];
  if (!method) return showError("Choose a method first.");
  try {
    download(await (await ask("export." + kind, { method })).blob(), `explored.${kind}`);
  } catch (error) {
    showError(error.message);
  }
}

el("run").addEventListener("click", run);
el("live").addEventListener("click", live);
el("file").addEventListener("click", () => download(new Blob([el("text").value]), "model.toml"));
for (const button of document.querySelectorAll("[data-export]")) button.addEventListener("click", () => save(button.dataset.export));
window.wignerflow = { explorer: () => ({ results, error: el("error").textContent }) };
