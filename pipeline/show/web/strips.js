"use strict";
// Token strips: orange stands behind a token as strong as the feature's activation there, white is 0.

const strips = (() => {
  // White space and controls made visible; a line break is shown, not made.
  const visible = text => text.replace(/\r?\n/g, "↵").replace(/\t/g, "⇥")
    .replace(/[\u0000-\u001f\u007f]/g, c => String.fromCharCode(0x2400 + (c === "\u007f" ? 0x21 : c.charCodeAt(0))))
    .replace(/[\u0080-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, "\ufffd");

  const unpack = pairs => {
    const values = new Map();
    for (let i = 0; i + 1 < pairs.length; i += 2) values.set(pairs[i], pairs[i + 1]);
    return values;
  };

  // One line of tokens. maximum: the activation that is fully orange.
  const line = (strip, pairs, maximum, uncovered) => {
    const values = unpack(pairs);
    const without = new Set(strip.x);
    return h("span", { class: "strip" }, strip.t.map((text, i) => {
      const value = values.get(i) || 0;
      const strength = maximum > 0 ? Math.min(1, value / maximum) : 0;
      const names = ["token"];
      if (i === strip.c) names.push("centre");
      if (without.has(i)) names.push("rowless");
      if (strength > 0.7) names.push("strong");
      if (uncovered && uncovered.has(i)) names.push("uncovered");
      return h("span", {
        class: names.join(" "),
        style: value > 0 ? { backgroundColor: `rgba(255, 128, 0, ${(0.12 + 0.88 * strength).toFixed(3)})` } : {},
        title: value > 0 ? `activation ${value}` : without.has(i) ? "not stored: no activation known" : null,
      }, visible(i === 0 ? text.replace(/^ /, "") : text));
    }));
  };

  const kindOf = (strip, dictionary) => {
    const intervals = book.dictionary(dictionary).intervals;
    if (strip.k === 0) return "strongest";
    const high = Math.round(100 * (1 - (strip.k - 1) / intervals));
    const low = Math.round(100 * (1 - strip.k / intervals));
    return `${low}–${high} %`;
  };

  const peak = pairs => {
    let most = 0;
    for (let i = 1; i < pairs.length; i += 2) most = Math.max(most, pairs[i]);
    return most;
  };

  // The activation that a strip was chosen for: its strongest, or that of the row drawn from an interval.
  const chosenFor = strip => strip.k === 0 ? peak(strip.v) : unpack(strip.v).get(strip.c) || 0;

  // A feature's own examples, one below the other.
  const list = (dictionary, feature, wanted) => {
    const chosen = feature.e.filter(wanted);
    if (chosen.length === 0) return h("p", { class: "quiet" }, "No examples.");
    return h("ol", { class: "examples" }, chosen.map(strip => h("li", {},
      h("span", { class: "example-head" },
        strip.k === 0 ? null : h("span", { class: "quiet" }, kindOf(strip, dictionary)),
        h("span", { class: "number", title: "activation" }, chosenFor(strip).toPrecision(3)),
        h("span", { class: "quiet", title: `document ${strip.d}, token ${strip.p}` }, `doc ${strip.d}`)),
      line(strip, strip.v, feature.x))));
  };

  // Where the feature fires and none of its shown children does.
  const uncoveredOf = strip => {
    const covered = new Set();
    for (const child of strip.cv || []) for (let i = 0; i < child.length; i += 2) covered.add(child[i]);
    return new Set(strip.v.filter((_, i) => i % 2 === 0).filter(cell => !covered.has(cell)));
  };

  // Put the centre token of each block of strips into the middle, once they are on the page.
  const centre = root => {
    for (const box of root.querySelectorAll(".same")) {
      const strip = box.querySelector(".strip"), token = strip && strip.querySelector(".centre");
      if (!token) continue;
      const start = strip.getBoundingClientRect(), place = token.getBoundingClientRect();
      const middle = place.left + place.width / 2 - start.left;
      const half = (box.clientWidth - box.querySelector(".same-id").getBoundingClientRect().width) / 2;
      for (const one of box.querySelectorAll(".strip")) {
        one.style.paddingLeft = Math.max(0, half - middle) + "px";
        one.style.paddingRight = Math.max(0, half - (start.width - middle)) + "px";
      }
      box.scrollLeft = Math.max(0, middle - half);
    }
  };

  // The same tokens, once for each of several features: who takes over where.
  const same = (strip, rows, uncovered) => h("div", { class: "same", tabindex: "0", role: "group",
    "aria-label": "the same tokens for several features" },
    h("div", { class: "same-grid" }, rows.map(row => [
      h("span", { class: "same-id" }, row.head),
      line(strip, row.pairs, row.maximum, row.isOwn ? uncovered : null)])));

  return { line, list, same, centre, uncoveredOf, kindOf, peak, visible };
})();
