// The status page: asks /status.json every second and shows it. Every text that came from outside
// goes into text nodes, never into markup.
"use strict";

const INTERVAL_MS = 1000;
const POINTS = 180; // three minutes
const SVG = "http://www.w3.org/2000/svg";

const $ = (id) => document.getElementById(id);
const history = { ops: [], batches: [], p99: [], lag: [] };
let before = null;

function element(name, className, ...children) {
  const node = document.createElement(name);
  if (className) node.className = className;
  node.append(...children.map(String));
  return node;
}

function shape(name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

function count(number) {
  return Number(number).toLocaleString("en-US", { maximumFractionDigits: number < 10 ? 1 : 0 });
}

function duration(ms) {
  if (ms === null) return "–";
  if (ms < 1000) return `${count(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 120) return `${count(seconds)} s`;
  if (seconds < 7200) return `${count(seconds / 60)} min`;
  return seconds < 172800 ? `${count(seconds / 3600)} h` : `${count(seconds / 86400)} days`;
}

function clock(ms) {
  return new Date(ms).toLocaleTimeString();
}

// ---- Lines ----

function draw(svg, values) {
  const width = 100, height = 40;
  const top = Math.max(...values, 1e-9);
  const x = (i) => width * (i + POINTS - values.length) / (POINTS - 1);
  const y = (value) => height - 2 - (height - 6) * value / top;
  const points = values.map((value, i) => `${x(i).toFixed(2)} ${y(value).toFixed(2)}`);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.replaceChildren();
  if (points.length < 2) return;
  const line = `M ${points.join(" L ")}`;
  svg.append(shape("path", { class: "area", d: `${line} L ${width} ${height} L ${x(0).toFixed(2)} ${height} Z` }));
  svg.append(shape("path", { class: "stroke", d: line }));
}

function tile(name, value, text) {
  const values = history[name];
  values.push(value);
  if (values.length > POINTS) values.shift();
  $(name).textContent = text;
  draw($(`${name}-line`), values);
}

// ---- Numbers from two looks ----

function operationsSettled(status) {
  return Object.values(status.operations).reduce((sum, of) => sum + of.synced + of.failed + of.requeued, 0);
}

// The upper bound of the bucket that the quantile lies in, among what came since the look before.
function quantile(now, then, share) {
  const counts = now.counts.map((number, i) => number - (then ? then.counts[i] : 0));
  const total = counts.reduce((a, b) => a + b, 0);
  if (total === 0) return null;
  let seen = 0;
  for (let i = 0; i < counts.length; i++) {
    seen += counts[i];
    if (seen >= share * total) return i < now.upper_ms.length ? now.upper_ms[i] : now.upper_ms[now.upper_ms.length - 1];
  }
  return null;
}

function showTiles(status) {
  const seconds = before ? (status.now_ms - before.now_ms) / 1000 : 0;
  const rate = (of) => seconds > 0 ? Math.max(0, of(status) - of(before)) / seconds : 0;
  const ops = rate(operationsSettled);
  const batches = rate((s) => s.counts.applied + s.counts.redelivered + s.counts.resent + s.counts.refused);
  const p99 = before ? quantile(status.process, before.process, 0.99) : null;
  tile("ops", ops, count(ops));
  tile("batches", batches, count(batches));
  tile("p99", p99 ?? 0, p99 === null ? "–" : `≤ ${duration(p99)}`);
  tile("lag", Math.max(0, status.lag), status.lag < 0 ? "–" : count(status.lag));
}

// ---- Tables ----

function row(cells, isZero) {
  const tr = element("tr", isZero ? "zero" : "");
  for (const cell of cells) {
    if (cell instanceof Node) tr.append(cell);
    else tr.append(element("td", typeof cell === "number" ? "number" : "", typeof cell === "number" ? count(cell) : cell));
  }
  return tr;
}

function fill(table, rows) {
  $(table).tBodies[0].replaceChildren(...rows);
}

function bar(share, waiting) {
  const td = element("td", "bar");
  const svg = shape("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" });
  svg.append(shape("rect", { width: 100 * share, height: 8, rx: 2 }));
  svg.append(shape("rect", { class: "waiting", x: 100 * (share - waiting), width: 100 * waiting, height: 8, rx: 2 }));
  td.append(svg);
  return td;
}

function showPartitions(status) {
  const most = Math.max(1, ...status.partitions.map((p) => p.lag));
  // The worker sends only those that lag most, in no other order.
  const sorted = [...status.partitions].sort((a, b) => b.lag - a.lag || (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.partition - b.partition));
  const unknown = status.unknown_lag_count;
  $("partitions-note").textContent = status.partition_count === 0 ? "none assigned" :
    `${status.partition_count} assigned${status.partition_count > 64 ? ", the 64 that lag most" : ""}` +
    `${unknown > 0 ? `, ${unknown} whose end Kafka does not tell` : ""}; the yellow part waits on purpose, for retries that are not due`;
  fill("partitions", sorted.slice(0, 64).map((p) => {
    const waiting = p.lag >= 0 ? p.lag - p.processable_lag : 0;
    const due = p.due_in_ms === undefined ? "" : `${count(waiting)}, next in ${duration(p.due_in_ms)}`;
    const lag = p.lag < 0 ? "not known" : p.current ? p.lag :
      element("td", "number unknown", `${count(p.lag)}, ${duration(p.age_ms)} ago`);
    return row([p.topic, element("td", "number", p.partition), lag,
      bar(Math.max(0, p.lag) / most, waiting / most), due], p.lag === 0 && p.current);
  }));
}

function showCounts(status) {
  fill("conflicts", Object.entries(status.conflicts).map(([reason, of]) =>
    row([reason, of.keep_local, of.keep_remote, of.merge, of.pending], !Object.values(of).some((n) => n > 0))));
  fill("operations", Object.entries(status.operations).map(([kind, of]) =>
    row([kind, of.synced, of.failed, of.requeued], !Object.values(of).some((n) => n > 0))));
  const found = status.counts.scenes_cached + status.counts.scenes_read;
  const pairs = [["batches applied", count(status.counts.applied)], ["redelivered", count(status.counts.redelivered)],
    ["resent", count(status.counts.resent)], ["refused", count(status.counts.refused)],
    ["requeues", count(status.counts.requeues)], ["dead letters", count(status.counts.dead_letters)],
    ["commits", count(status.counts.commits)], ["lost races", count(status.counts.races)],
    ["clamped times", count(status.counts.clamped)], ["cycles repeated", count(status.counts.cycles_repeated)],
    ["cache", `${count(status.cache_bytes / 1048576)} of ${count(status.cache_limit_bytes / 1048576)} MiB`],
    ["cache hits", found === 0 ? "–" : `${count(100 * status.counts.scenes_cached / found)} %`]];
  $("counts").replaceChildren(...pairs.map(([name, value]) => {
    const div = element("div");
    div.append(element("dt", "", name), element("dd", "", value));
    return div;
  }));
}

// ---- Rows ----

function sessionLink(session) {
  const link = element("a", "", session);
  link.href = `#${encodeURIComponent(session)}`;
  return link;
}

function resultLine(result) {
  const kind = result.pending > 0 ? ["wait", "pending"] : result.success ? ["good", "synced"] : ["bad", "failed"];
  const parts = [element("span", `mark ${kind[0]}`, kind[1]), element("span", "when", clock(result.at_ms)),
    sessionLink(result.session), ` ${result.synced} synced`];
  if (result.failed > 0) parts.push(`, ${result.failed} failed`);
  if (result.pending > 0) parts.push(`, ${result.pending} pending`);
  if (result.conflict_count > 0) parts.push(`, ${result.conflict_count} ${result.conflict_count === 1 ? "conflict" : "conflicts"}`);
  if (result.attempts > 1) parts.push(`, attempt ${result.attempts}`);
  parts.push(`, version ${result.scene_version} · batch `, element("code", "", result.batch));
  return parts;
}

function showResults(status) {
  $("results").replaceChildren(...status.results.map((result) => {
    if (result.conflicts.length === 0 && result.error === "") {
      const div = element("div", "row");
      div.append(...resultLine(result));
      return div;
    }
    const details = element("details");
    details.dataset.key = `${result.at_ms} ${result.session} ${result.batch} ${result.attempts}`;
    details.open = opened.has(details.dataset.key);
    const summary = element("summary");
    summary.append(...resultLine(result));
    const list = element("ul");
    if (result.error !== "") list.append(element("li", "", result.error));
    for (const conflict of result.conflicts) {
      list.append(element("li", "", `operation ${conflict.index}: ${conflict.reason}, ${conflict.resolution} (${result.strategy})`));
    }
    details.append(summary, list);
    return details;
  }));
  if (status.results.length === 0) $("results").replaceChildren(element("p", "quiet", "none yet"));
}

// What a reader has opened stays open when the list is made anew.
const opened = new Set();
$("results").addEventListener("toggle", (event) => {
  const key = event.target.dataset.key;
  if (event.target.open) opened.add(key); else opened.delete(key);
}, true);

function showDeadLetters(status) {
  $("letters").replaceChildren(...status.dead_letters.map((letter) => {
    const div = element("div", "row");
    div.append(element("span", "mark bad", letter.code), " ", element("span", "when", clock(letter.at_ms)),
      element("code", "", letter.source), ` ${letter.error}`);
    return div;
  }));
  if (status.dead_letters.length === 0) $("letters").replaceChildren(element("p", "quiet", "none since the start"));
}

// ---- A scene ----

let shown = { session: null, versions: new Map() };

function number(value, otherwise) {
  return typeof value === "number" && Number.isFinite(value) ? value : otherwise;
}

// The corner of everything, so that it fits.
function frame(elements) {
  let left = Infinity, top = Infinity, right = -Infinity, bottom = -Infinity;
  for (const { element: e } of elements) {
    const t = e.transform ?? {};
    const x = number(t.x, 0), y = number(t.y, 0);
    left = Math.min(left, x);
    top = Math.min(top, y);
    right = Math.max(right, x + Math.abs(number(t.width, 100)));
    bottom = Math.max(bottom, y + Math.abs(number(t.height, 100)));
  }
  const margin = 0.04 * Math.max(right - left, bottom - top, 1);
  return { x: left - margin, y: top - margin, width: right - left + 2 * margin, height: bottom - top + 2 * margin };
}

function drawElement({ version, element: e }, unit) {
  const t = e.transform ?? {};
  const x = number(t.x, 0), y = number(t.y, 0);
  const width = Math.abs(number(t.width, 100)), height = Math.abs(number(t.height, 100));
  const type = typeof e.kind?.type === "string" ? e.kind.type : "?";
  const isNew = shown.versions.has(e.id) && shown.versions.get(e.id) !== version;
  const group = shape("g", { transform: `rotate(${number(t.rotation, 0)} ${x + width / 2} ${y + height / 2})` });
  const known = ["text", "image", "chart", "group"].includes(type) ? ` type-${type}` : "";
  group.append(shape("rect", { class: `shape${known}${isNew ? " changed" : ""}`, x, y, width, height, rx: 4 * unit }));
  const title = shape("title", {});
  title.textContent = `${e.id} · ${type} · version ${version}`;
  const label = shape("text", { x: x + 6 * unit, y: y + 16 * unit });
  label.style.fontSize = `${13 * unit}px`;
  const content = e.kind?.data?.content;
  const room = Math.max(3, Math.floor((width - 12 * unit) / (7 * unit)));
  const text = typeof content === "string" ? content : `${type} ${e.id}`;
  label.textContent = text.length > room ? `${text.slice(0, room - 1)}…` : text;
  group.append(title, label);
  shown.versions.set(e.id, version);
  return group;
}

function drawScene(scene) {
  const drawn = scene.elements.filter((item) => typeof item.element === "object").slice(0, 2000);
  const svg = $("scene");
  $("scene-note").textContent = `version ${scene.version}, ${count(scene.element_count)} elements, ` +
    `${count(scene.tombstone_count)} removed; what changed since the last look is thick`;
  if (drawn.length === 0) {
    svg.replaceChildren();
    return;
  }
  const box = frame(drawn);
  svg.setAttribute("viewBox", `${box.x} ${box.y} ${box.width} ${box.height}`);
  const unit = Math.max(box.width / (svg.clientWidth || 1100), box.height / (svg.clientHeight || 440));
  svg.replaceChildren(...drawn.map((item) => drawElement(item, unit)));
}

async function lookAtScene() {
  const session = shown.session;
  if (session !== null) {
    try {
      const response = await fetch(`/scene.json?session=${encodeURIComponent(session)}`, { signal: AbortSignal.timeout(5000) });
      const scene = await response.json();
      if (session === shown.session && response.ok) drawScene(scene);
      else if (session === shown.session) {
        $("scene-note").textContent = scene.error;
        $("scene").replaceChildren();
      }
    } catch (error) {
      $("scene-note").textContent = `no answer (${error.message})`;
    }
  }
  setTimeout(lookAtScene, 2 * INTERVAL_MS);
}

function follow(session) {
  shown = { session: session === "" ? null : session, versions: new Map() };
  $("scene-note").textContent = "";
  $("scene").replaceChildren();
}

$("scene-form").addEventListener("submit", (event) => {
  event.preventDefault();
  location.hash = $("session").value;
});

addEventListener("hashchange", () => {
  $("session").value = location.hash.slice(1);
  follow($("session").value);
});

// ---- The whole ----

function showState(status) {
  $("group").textContent = `group ${status.group}`;
  // A wait that does not last is part of the work; one that does is no longer ready.
  const doing = status.activity.startsWith("waiting") ? "working" : status.activity;
  $("state").textContent = status.ready ? doing : "not ready";
  $("state").className = `state ${status.ready ? "good" : "bad"}`;
  $("reason").textContent = status.ready ? "" : status.not_ready;
  $("kafka").className = `dependency ${status.kafka ? "up" : "down"}`;
  $("redis").className = `dependency ${status.redis ? "up" : "down"}`;
  $("uptime").textContent = `up ${duration(status.uptime_ms)}`;
  $("version").textContent = `scenesync ${status.version}`;
  document.title = `${status.ready ? "" : "NOT READY · "}scenesync ${status.group}`;
  const alarms = [];
  if (status.counts.records_gone > 0) alarms.push(`${count(status.counts.records_gone)} records that Redis lost are gone for good: Kafka had them no more.`);
  if (status.counts.lost_writes > 0) alarms.push(`Redis lost acknowledged writes in ${count(status.counts.lost_writes)} partitions; ${count(status.counts.records_replayed)} records were applied again.`);
  if (status.counts.wrong_keys > 0) alarms.push(`${count(status.counts.wrong_keys)} records have a key that is not their session_id.`);
  $("alarms").textContent = alarms.join(" ");
}

function show(status) {
  showState(status);
  showTiles(status);
  showPartitions(status);
  showCounts(status);
  showResults(status);
  showDeadLetters(status);
  before = status;
}

// Of a worker that is new to the page: the settings are those that it was started with.
async function lookAtSettings() {
  const response = await fetch("/settings.txt", { signal: AbortSignal.timeout(5000) });
  if (!response.ok) throw new Error(`status ${response.status}`);
  $("settings").textContent = await response.text();
}

async function look() {
  try {
    const response = await fetch("/status.json", { signal: AbortSignal.timeout(5000) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const status = await response.json();
    if (before === null || status.uptime_ms < before.uptime_ms) await lookAtSettings();
    show(status);
  } catch (error) {
    $("state").textContent = "no answer";
    $("state").className = "state bad";
    $("reason").textContent = `the worker does not answer (${error.message}); what is below is old`;
    before = null;
  }
  setTimeout(look, INTERVAL_MS);
}

$("session").value = location.hash.slice(1);
follow($("session").value);
look();
lookAtScene();
