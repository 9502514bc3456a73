"use strict";
// Shards, ids, formats and the few elements that every view uses. Text from the run is only ever set as text.

const cleave = (() => {
  const KEPT = 60; // shards in memory
  const shards = new Map(); // key -> promise
  const waiting = new Map(); // key -> resolve

  // A shard calls cleave(key, value).
  const take = (key, value) => {
    const resolve = waiting.get(key);
    waiting.delete(key);
    if (resolve) resolve(value);
  };

  const load = key => {
    if (shards.has(key)) {
      const found = shards.get(key);
      shards.delete(key); // to the end: used last
      shards.set(key, found);
      return found;
    }
    const promise = new Promise((resolve, reject) => {
      const script = document.createElement("script");
      waiting.set(key, value => { script.remove(); resolve(value); });
      script.src = "data/" + key.split("/").map(encodeURIComponent).join("/") + ".js";
      script.onerror = () => {
        script.remove();
        waiting.delete(key);
        shards.delete(key);
        reject(new Error("data/" + key + ".js is missing from the report"));
      };
      document.head.append(script);
    });
    shards.set(key, promise);
    if (shards.size > KEPT) shards.delete(shards.keys().next().value);
    return promise;
  };

  return Object.assign(take, { load, run: null });
})();

// An element with attributes and children; strings become text.
const h = (name, attributes, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "style") Object.assign(element.style, value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  fill(element, children);
  return element;
};

// Put children in the place of an element's own; nothing and lists are fine.
const fill = (element, ...children) => {
  const isShown = child => child !== null && child !== undefined && child !== false;
  element.replaceChildren(...children.flat(4).filter(isShown));
};

const format = {
  count: value => value === null || value === undefined ? "–" : Math.round(value).toLocaleString("en-US"),
  percent: (value, digits = 0) =>
    value === null || value === undefined ? "–" : (100 * value).toFixed(digits) + " %",
  // Cosines and shares: .71
  short: (value, digits = 2) => {
    if (value === null || value === undefined) return "–";
    return value.toFixed(digits).replace(/^(-?)0\./, "$1.");
  },
  real: (value, digits = 3) => value === null || value === undefined ? "–" : value.toFixed(digits),
  mass: value => {
    if (value === null || value === undefined) return "–";
    if (value >= 1e6) return (value / 1e6).toPrecision(3) + " M";
    if (value >= 1e4) return (value / 1e3).toPrecision(3) + " k";
    return value >= 100 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(3);
  },
  plural: (count, one, many) => format.count(count) + " " + (count === 1 ? one : many || one + "s"),
};

// What the run's codes mean.
const book = {
  dictionary: index => cleave.run.dictionaries[index],
  name: index => cleave.run.dictionaries[index].name,
  find: name => cleave.run.dictionaries.findIndex(one => one.name === name),
  levels: () => cleave.run.dictionaries.filter(one => one.level >= 0),
  ofLevel: level => cleave.run.dictionaries.findIndex(one => one.level === level),
  child: code => cleave.run.child_statuses[code] || "",
  parent: code => cleave.run.parent_statuses[code] || "",
  flags: bits => cleave.run.flags.filter((_, i) => bits & (1 << i)),
  id: (dictionary, feature) => book.name(dictionary) + "/" + feature,
};

const shardOf = {
  of: (kind, size, dictionary, id) => {
    const shard = Math.floor(id / cleave.run.shard[size]);
    return `${kind}/${book.name(dictionary)}/${Math.floor(shard / cleave.run.shard.folder)}/${shard}`;
  },
  feature: (dictionary, id) => shardOf.of("feature", "features", dictionary, id),
  near: (dictionary, id) => shardOf.of("near", "features", dictionary, id),
  family: (dictionary, id) => shardOf.of("family", "families", dictionary, id),
  families: page => `families/${Math.floor(page / cleave.run.shard.folder)}/${page}`,
};

const fetchFeature = async (dictionary, id) => {
  const all = await cleave.load(shardOf.feature(dictionary, id));
  return all[id % cleave.run.shard.features];
};

// Its nearest features: a list for each dictionary that was compared with its own, [id, cosine, label, status, parent].
const fetchNear = async (dictionary, id) => {
  const all = await cleave.load(shardOf.near(dictionary, id));
  return all[id % cleave.run.shard.features].map(({ d, v }) => ({ dictionary: d,
    features: v.map(([number, cosine, label, status, parent]) => ({ id: number, cosine, label,
      status: status < 0 ? "" : book.child(status), parent })) }));
};

// The tree of a root and its figures, or null.
const fetchFamily = async (dictionary, id) => {
  const level = book.dictionary(dictionary).level;
  const last = book.levels().length - 1;
  if (level < 0 || (level > 0 && level === last)) return null;
  const all = await cleave.load(shardOf.family(dictionary, id));
  const at = all.findIndex((one, i) => i % 2 === 0 && one.i === id);
  return at < 0 ? null : { tree: all[at], figures: all[at + 1] };
};

// What each status says, for tooltips and the glossary.
const STATUS_HELP = {
  kept: "the same feature again: mutual best match, cosine at least .70, fires where the parent fires",
  split: "a part of the parent: it fires where the parent fires, and is close to it",
  absorbed: "took over a part of what the parent meant, so that the parent's successor no longer fires there",
  composed: "made of two unlike parents",
  ambiguous: "several parents are about as close, and the evidence does not choose one",
  related: "close to a parent, or fires along with one, without being a part of it",
  novel: "no parent, and another seed finds it too",
  unmatched: "no parent above the threshold",
  unseen: "never fired in this text",
  dead: "no direction, or never fires",
};
const PARENT_HELP = {
  persists: "one child is the same feature, none is a part of it",
  "split+persists": "one child is the same feature, others are parts",
  split_k: "two or more children are parts of it",
  refined: "exactly one child is a part of it",
  linked: "only looser links to the larger dictionary",
  lost: "no child above the threshold",
  unseen: STATUS_HELP.unseen,
  dead: STATUS_HELP.dead,
};
const baseOf = status => status.replace(/\?$/, "");

const labelText = value => Array.isArray(value) ? value[0] : value;

const el = {
  id: (dictionary, id, attributes) =>
    h("a", { class: "id", href: "#" + book.id(dictionary, id), ...attributes }, book.id(dictionary, id)),
  // A label: "text" is automatic (in italics), ["text"] was given by the user.
  label: value => {
    const text = labelText(value);
    if (!text) return h("span", { class: "label none" }, "no label");
    return Array.isArray(value) ? h("span", { class: "label" }, text)
      : h("span", { class: "label automatic", title: "automatic label" }, text);
  },
  status: (status, attributes) => {
    if (!status) return null;
    return h("span", { class: "status s-" + baseOf(status), title: STATUS_HELP[baseOf(status)] ||
      PARENT_HELP[status], ...attributes }, status);
  },
  // P(parent | child) as a mark on a line from 0 to 1 with its interval.
  share: ([p, low, high]) => {
    const few = "fewer than 30 firings or 10 documents";
    if (p === undefined) return h("span", { class: "share none", title: few }, "too few firings");
    const width = (Math.min(1, high) - Math.max(0, low)) * 100 + "%";
    const at = value => Math.max(0, Math.min(1, value)) * 100 + "%";
    return h("span", { class: "share",
      title: `P(parent | child) = ${format.short(p)}, 95 % interval ${format.short(low)} to ${format.short(high)}` },
      h("span", { class: "share-line", "aria-hidden": "true" },
        h("i", { class: "share-range", style: { left: at(low), width } }),
        h("i", { class: "share-dot", style: { left: at(p) } })),
      h("span", { class: "number" }, format.short(p)),
      h("span", { class: "quiet" }, ` ${format.short(low)}–${format.short(high)}`));
  },
  flags: bits => book.flags(bits).map(flag => h("span", { class: "flag" }, flag.replace("_", " "))),
  sizes: sizes => h("span", { class: "sizes" }, sizes.map((size, i) => [
    i > 0 ? h("span", { class: "quiet" }, " → ") : null, format.count(size)])),
};

const reportError = error => h("p", { class: "notice" }, String(error && error.message || error));
