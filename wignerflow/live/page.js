"use strict";
(() => {
  const text = (id) => document.getElementById(id).textContent;
  const data = JSON.parse(text("data"));
  const { Kernel, Sums } = new Function(text("host") + "\nreturn { Kernel, Sums };")();
  const bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#b5609a", "#a66f00", "#2a7fb0"];

  // ---------------------------------------------------------------- functions of the sliders

  const position = (s, x) => s.log
    ? (2 * Math.log(x) - Math.log(s.low) - Math.log(s.high)) / Math.log(s.high / s.low)
    : (2 * x - s.low - s.high) / (s.high - s.low);
  const valueAt = (s, u) => {
    const x = s.log
      ? Math.exp((Math.log(s.low * s.high) + u * Math.log(s.high / s.low)) / 2)
      : (s.low + s.high + u * (s.high - s.low)) / 2;
    return clip(s, x);
  };
  const clip = (s, x) => {
    const inside = Math.min(s.high, Math.max(s.low, x));
    return s.whole ? Math.round(inside) : inside;
  };

  // Barycentric interpolation through the nodes of every slider in turn.
  function interpolant(plain) {
    const values = new Float64Array(bytes(plain.values).buffer);
    const axes = plain.nodes.map((nodes, k) => {
      const u = nodes.map((x) => position(data.sliders[k], x));
      const w = u.map((a, i) => 1 / u.reduce((p, b, j) => (i === j ? p : p * 2 * (a - b)), 1));
      return { u, w };
    });
    return (parameters) => {
      let now = values, rest = values.length;
      axes.forEach(({ u, w }, k) => {
        const s = data.sliders[k], x = position(s, parameters[s.name]);
        const hit = u.findIndex((a) => Math.abs(a - x) < 1e-12);
        let share = u.map((a, i) => (hit >= 0 ? Number(i === hit) : w[i] / (x - a)));
        if (u.length === 1) share = [1];
        const total = share.reduce((a, b) => a + b, 0);
        rest /= u.length;
        const next = new Float64Array(rest);
        for (let i = 0; i < u.length; i++) {
          const c = share[i] / total;
          if (c !== 0) for (let j = 0; j < rest; j++) next[j] += c * now[i * rest + j];
        }
        now = next;
      });
      return now;
    };
  }

  const moving = interpolant(data.tables.moving);
  const base = bytes(data.tables.base);
  const behind = data.reference && interpolant(data.reference.curves);
  const leaves = data.leaves && interpolant(data.leaves.moving);

  function tables(parameters) {
    const out = base.slice(), view = new DataView(out.buffer), numbers = moving(parameters);
    const set = data.tables.kind === "float32" ? "setFloat32" : "setFloat64";
    data.tables.places.forEach((at, k) => view[set](at, numbers[k], true));
    return out;
  }

  // ---------------------------------------------------------------- state

  const home = Object.fromEntries(data.sliders.map((s) => [s.name, s.value]));
  const parameters = { ...home };
  let layout = null, sums = null, job = 0, workers = [], waiting = 0, paused = false;
  let steps = 0, busy = 0, moved = 0, latency = 0, problem = "";

  const ntraj = () => (sums ? Math.max(0, ...sums.count) : 0);

  // Rows (T) of one member of an observable.
  function curves(o, m) {
    const { mean, sem, imag, imagSem } = o.parts;
    const pick = (a) => a && Array.from({ length: layout.times.length }, (_, i) => a[i * o.size + m]);
    return { mean: pick(mean), sem: pick(sem), imag: pick(imag), imagSem: pick(imagSem) };
  }

  function observables() {
    const found = sums.observables();
    return layout.observables.map((o) => ({ ...o, parts: found[o.name] }));
  }

  function shownBehind() {
    if (!behind) return null;
    const first = data.sliders.every((s) => parameters[s.name] === s.value);
    if (!data.reference.everywhere && !first) return null;
    const flat = behind(parameters), T = layout.times.length, out = {};
    let at = 0;
    for (const { name, size, imag } of layout.observables) {
      out[name] = { mean: flat.subarray(at, at + T * size), imag: null };
      at += T * size;
      if (imag !== null) { out[name].imag = flat.subarray(at, at + T * size); at += T * size; }
    }
    return out;
  }

  window.wignerflow = {
    // What is shown: means and errors are (T) or, with several values per time, (T, size).
    state() {
      const rows = (a, size) => a && (size === 1 ? Array.from(a)
        : Array.from({ length: layout.times.length }, (_, i) => Array.from(a.subarray(i * size, (i + 1) * size))));
      const out = { times: [], expect: {}, sem: {}, imag: {}, ntraj: ntraj(), parameters: { ...parameters } };
      out.ready = sums !== null;
      out.method = data.method;
      out.steps_per_second = busy > 0 ? steps / busy : 0;
      out.latency = latency;
      out.problem = problem;
      if (!sums) return out; // workers are starting
      out.times = layout.times.slice();
      for (const o of observables()) {
        out.expect[o.name] = rows(o.parts.mean, o.size);
        out.sem[o.name] = rows(o.parts.sem, o.size);
        if (o.parts.imag) out.imag[o.name] = rows(o.parts.imag, o.size);
      }
      const known = shownBehind();
      if (known) {
        out.reference = { method: data.reference.method, error: data.reference.curves.error, expect: {} };
        for (const o of layout.observables) out.reference.expect[o.name] = rows(known[o.name].mean, o.size);
      }
      return out;
    },
  };

  // ---------------------------------------------------------------- running

  function start() {
    if (!layout) return;
    job += 1;
    steps = busy = 0;
    moved = performance.now();
    latency = 0;
    sums = new Sums(layout);
    const own = tables(parameters);
    const last = Math.ceil(data.ntraj / (layout.lanes * layout.chunks));
    waiting = 0;
    workers.forEach((w, k) => {
      w.postMessage({ job, tables: paused ? null : own, first: k, stride: workers.length, last, seed: data.seed });
    });
    draw();
  }

  function heard({ data: said }, w) {
    if (said.error) { problem = said.error; draw(); return; }
    if (said.ready) { w.ready = true; if (workers.every((x) => x.ready)) start(); return; }
    if (said.job !== job) return;
    if (!latency) latency = (performance.now() - moved) / 1000;
    steps += said.steps;
    busy += said.seconds;
    sums.add({ array: (name) => said[name] }, 1);
    if (!waiting) { waiting = 1; requestAnimationFrame(() => { waiting = 0; draw(); }); }
  }

  async function begin() {
    const module = bytes(data.module);
    layout = (await Kernel.load(module)).layout;
    buildPlots();
    const source = text("host") + "\n" + text("worker");
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const number = Math.max(1, Math.min(8, (navigator.hardwareConcurrency || 2) - 1));
    workers = Array.from({ length: number }, () => new Worker(url));
    for (const w of workers) {
      w.onmessage = (event) => heard(event, w);
      w.onerror = (event) => { problem = event.message || "a worker could not start"; draw(); };
      w.postMessage({ module });
    }
  }

  // ---------------------------------------------------------------- drawing

  const W = 460, H = 260, L = 58, R = 10, T = 10, B = 36;
  const plots = {};
  const svg = (name, attributes = {}) => {
    const e = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    return e;
  };

  function buildPlots() {
    const box = document.getElementById("plots");
    for (const o of layout.observables) {
      const figure = document.createElement("figure"), caption = document.createElement("figcaption");
      caption.textContent = o.name;
      const picture = svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `${o.name} over time` });
      const inner = svg("g");
      picture.append(inner);
      figure.append(caption, picture);
      box.append(figure);
      plots[o.name] = inner;
    }
  }

  function ticks(low, high) {
    const raw = (high - low) / 4, power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((k) => k * power).find((k) => k >= raw);
    const out = [];
    for (let x = Math.ceil(low / step) * step; x <= high + 1e-9 * step; x += step) out.push(Math.abs(x) < step / 1e6 ? 0 : x);
    return out;
  }

  const short = (x) => (x !== 0 && (Math.abs(x) >= 1e5 || Math.abs(x) < 1e-3)
    ? x.toExponential(1).replace("e+", "e") : String(Number(x.toPrecision(4))));

  function path(times, values, x, y) {
    let out = "", open = false;
    values.forEach((v, i) => {
      if (!Number.isFinite(v)) { open = false; return; }
      out += `${open ? "L" : "M"}${x(times[i]).toFixed(1)} ${y(v).toFixed(1)}`;
      open = true;
    });
    return out;
  }

  function axes(group, x, y, xs, ys) {
    group.append(svg("rect", { x: L, y: T, width: W - L - R, height: H - T - B, fill: "none", stroke: "#666" }));
    for (const v of xs) {
      const last = x(v) > W - R - 20; // it ends there, so that the picture holds it
      const label = svg("text", { x: x(v), y: H - B + 16, "text-anchor": last ? "end" : "middle" });
      label.textContent = short(v);
      group.append(svg("path", { d: `M${x(v)} ${H - B}v-4`, stroke: "#666" }), label);
    }
    for (const v of ys) {
      const label = svg("text", { x: L - 6, y: y(v) + 4, "text-anchor": "end" });
      label.textContent = short(v);
      group.append(svg("path", { d: `M${L} ${y(v)}h4`, stroke: "#666" }), label);
    }
    const label = svg("text", { x: (L + W - R) / 2, y: H - 4, "text-anchor": "middle" });
    label.textContent = "time";
    group.append(label);
  }

  function drawLines(o, known) {
    const group = plots[o.name], times = layout.times, lines = [];
    for (let m = 0; m < o.size; m++) {
      const c = curves(o, m), colour = COLOURS[m % COLOURS.length];
      const own = known && known[o.name];
      const pick = (a) => a && times.map((_, i) => a[i * o.size + m]);
      lines.push({ v: c.mean, e: c.sem, colour, dash: "" });
      if (c.imag) lines.push({ v: c.imag, e: c.imagSem, colour, dash: "5 3" });
      if (own) lines.push({ v: pick(own.mean), colour: "#000", dash: "2 3", thin: true });
      if (own && own.imag) lines.push({ v: pick(own.imag), colour: "#000", dash: "1 4", thin: true });
    }
    const all = lines.flatMap(({ v, e }) => v.flatMap((a, i) => (e && Number.isFinite(e[i]) ? [a - e[i], a + e[i]] : [a]))).filter(Number.isFinite);
    if (!all.length) return;
    let low = all.reduce((a, b) => Math.min(a, b)), high = all.reduce((a, b) => Math.max(a, b));
    const room = 0.05 * (high - low) || Math.abs(high) || 1;
    low -= room;
    high += room;
    const t0 = times[0], t1 = times[times.length - 1];
    const x = (t) => L + (W - L - R) * (t - t0) / (t1 - t0), y = (v) => H - B - (H - T - B) * (v - low) / (high - low);
    group.replaceChildren();
    axes(group, x, y, ticks(t0, t1), ticks(low, high));
    for (const { v, e, colour, dash, thin } of lines) {
      if (e) {
        const up = path(times, v.map((a, i) => a + e[i]), x, y);
        const down = path([...times].reverse(), v.map((a, i) => a - e[i]).reverse(), x, y);
        if (up && down) group.append(svg("path", { d: `${up}L${down.slice(1)}Z`, fill: colour, opacity: 0.25 }));
      }
      group.append(svg("path", { d: path(times, v, x, y), fill: "none", stroke: colour, "stroke-width": thin ? 1.4 : 2, "stroke-dasharray": dash }));
    }
  }

  // Many values per time: a map, blue for low and yellow for high.
  function drawMap(o) {
    const group = plots[o.name], n = layout.times.length, values = o.parts.mean;
    const finite = values.filter(Number.isFinite);
    if (!finite.length) return;
    const low = finite.reduce((a, b) => Math.min(a, b)), high = finite.reduce((a, b) => Math.max(a, b));
    const canvas = document.createElement("canvas");
    canvas.width = n;
    canvas.height = o.size;
    const pen = canvas.getContext("2d"), image = pen.createImageData(n, o.size);
    for (let i = 0; i < n; i++) for (let m = 0; m < o.size; m++) {
      const c = (values[i * o.size + m] - low) / (high - low || 1), at = 4 * ((o.size - 1 - m) * n + i);
      image.data.set([255 * (0.25 + 0.75 * c * c), 255 * (0.05 + 0.85 * c), 255 * (0.4 + 0.3 * Math.sin(3.1 * c) - 0.25 * c), 255], at);
    }
    pen.putImageData(image, 0, 0);
    const t = layout.times, x = (v) => L + (W - L - R) * (v - t[0]) / (t[n - 1] - t[0]);
    const y = (m) => H - B - (H - T - B) * (m + 0.5) / o.size;
    group.replaceChildren(svg("image", { href: canvas.toDataURL(), x: L, y: T, width: W - L - R, height: H - T - B, preserveAspectRatio: "none", style: "image-rendering: pixelated" }));
    axes(group, x, y, ticks(t[0], t[n - 1]), ticks(0, o.size - 1).filter(Number.isInteger));
    const label = svg("text", { x: L + 6, y: T + 14, style: "fill:#fff;paint-order:stroke;stroke:#000;stroke-width:2px" });
    label.textContent = `from ${short(low)} to ${short(high)}, by member`;
    group.append(label);
  }

  function draw() {
    const status = document.getElementById("status");
    if (problem) { status.textContent = `This page cannot run here: ${problem}`; return; }
    if (!sums) { status.textContent = "Starting …"; return; }
    const found = observables(), known = shownBehind();
    for (const o of found) (o.size > 6 ? drawMap(o) : drawLines(o, known));
    const rate = busy > 0 ? `, ${(steps / busy / 1e6).toFixed(1)} million trajectory-steps per second and worker` : "";
    status.textContent = `${ntraj().toLocaleString("en")} trajectories${rate}${paused ? ", paused" : ""}`;
    const notes = [`Solid with a band of one standard error: ${data.method}.`];
    if (known) notes.push(`Dotted black: ${data.reference.method}${data.reference.everywhere && data.sliders.length ? `, interpolated between computed values to ${(100 * data.reference.curves.error).toPrecision(1)} % of the largest` : ""}.`);
    else if (behind) notes.push(`The ${data.reference.method} curve is known at the first values only.`);
    if (found.some((o) => o.parts.imag)) notes.push("Dashed: imaginary part.");
    if (data.left_out.length) notes.push(`Not in this page: ${data.left_out.join(", ")}.`);
    document.getElementById("notes").textContent = notes.join(" ");
  }

  // ---------------------------------------------------------------- controls

  const inputs = {};
  function show() {
    for (const s of data.sliders) {
      inputs[s.name].range.value = String(1000 * position(s, parameters[s.name]));
      inputs[s.name].number.value = String(Number(parameters[s.name].toPrecision(6)));
    }
  }
  function set(s, value, source) {
    if (!Number.isFinite(value)) return;
    parameters[s.name] = clip(s, value);
    if (source !== inputs[s.name].number) inputs[s.name].number.value = String(Number(parameters[s.name].toPrecision(6)));
    if (source !== inputs[s.name].range) inputs[s.name].range.value = String(1000 * position(s, parameters[s.name]));
    start();
  }
  const form = document.getElementById("sliders");
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const s of data.sliders) {
    const label = document.createElement("label"), range = document.createElement("input"), number = document.createElement("input");
    label.textContent = s.name;
    label.htmlFor = `slider-${s.name}`;
    Object.assign(range, { type: "range", min: -1000, max: 1000, step: "any", id: `slider-${s.name}`, name: s.name });
    range.setAttribute("aria-label", s.name);
    Object.assign(number, { type: "number", min: s.low, max: s.high, step: s.whole ? 1 : "any" });
    number.setAttribute("aria-label", `${s.name}, as a number`);
    range.addEventListener("input", () => set(s, valueAt(s, range.value / 1000), range));
    number.addEventListener("change", () => { set(s, Number(number.value), null); });
    inputs[s.name] = { range, number };
    form.append(label, range, number);
  }
  show();

  function download(name, content, type) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  // The model file where the sliders stand (or, where it has no such form, at the first values).
  function modelFile() {
    const file = structuredClone(data.file);
    if (leaves) {
      const numbers = leaves(parameters);
      data.leaves.places.forEach((place, k) => {
        const owner = place.slice(0, -1).reduce((a, key) => a[key], file);
        owner[place[place.length - 1]] = data.leaves.whole[k] ? Math.round(numbers[k]) : Number(numbers[k].toPrecision(10));
      });
    }
    return file;
  }
  window.wignerflow.model = modelFile;

  document.getElementById("pause").onclick = (event) => {
    paused = !paused;
    event.target.textContent = paused ? "Continue" : "Pause";
    if (paused) { workers.forEach((w) => w.postMessage({ job: (job += 1) })); draw(); } else start();
  };
  document.getElementById("home").onclick = () => { Object.assign(parameters, home); show(); start(); };
  document.getElementById("model").onclick = () => download("model.json", JSON.stringify(modelFile(), null, 1), "application/json");
  document.getElementById("csv").onclick = () => {
    const columns = { time: layout.times };
    for (const o of observables()) for (let m = 0; m < o.size; m++) {
      const c = curves(o, m), name = o.size > 1 ? `${o.name}[${m}]` : o.name;
      columns[name] = c.mean;
      columns[`${name}_sem`] = c.sem;
      if (c.imag) { columns[`${name}_imag`] = c.imag; columns[`${name}_imag_sem`] = c.imagSem; }
    }
    const names = Object.keys(columns), quoted = names.map((n) => `"${n.replaceAll('"', '""')}"`);
    const lines = layout.times.map((_, i) => names.map((n) => columns[n][i]).join(","));
    download("curves.csv", [quoted.join(","), ...lines].join("\n") + "\n", "text/csv");
  };

  draw();
  begin().catch((error) => { problem = String(error); draw(); });
})();
