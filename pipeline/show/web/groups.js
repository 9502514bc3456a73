"use strict";
// What the larger dictionary has and the smaller one has not; and the holes that features took out of others.

const groups = (() => {
  const percentOf = (part, whole) => whole > 0 ? ` (${format.percent(part / whole)})` : "";

  const member = (child, [id, label, firings, status]) => h("li", {},
    h("a", { href: "#" + book.id(child, id) }, h("span", { class: "id" }, book.id(child, id)), el.label(label)),
    h("span", { class: "line-end" }, el.status(book.child(status)), h("span", { class: "number quiet", title: "firings" },
      format.count(firings))));

  const groupCard = (child, parent, group) => {
    const [, , , , closest, closestLabel, cosine] = group.v[0];
    return h("article", { class: "card" },
      h("h3", {}, format.plural(group.n, "feature"), h("span", { class: "quiet" }, ` of mass ${format.mass(group.m)}`)),
      h("ul", { class: "lines" }, group.v.map(one => member(child, one))),
      group.n > group.v.length ? h("p", { class: "quiet" }, `and ${format.count(group.n - group.v.length)} more of less activation`) : null,
      closest < 0 ? null : h("p", { class: "quiet small" }, `closest to the first in ${book.name(parent)}: `,
        el.id(parent, closest), " ", el.label(closestLabel), ` cosine ${format.short(cosine)}`),
      h("p", {}, h("a", { href: "#map/" + book.id(child, group.v[0][0]) }, "Map around the first")));
  };

  const showNovel = async (main, index) => {
    const { child, parent } = cleave.run.pairs[index];
    const found = await cleave.load(`novel/${index}`);
    fill(main, h("h1", {}, `New in ${book.name(child)}`),
      h("p", { class: "lead" }, h("b", {}, format.count(found.features)), ` features of ${book.name(child)} have no parent in ${book.name(parent)}; `,
        h("b", {}, format.count(found.grouped)), percentOf(found.grouped, found.features), " of them stand in ",
        h("b", {}, format.count(found.groups)), " groups of two and more."),
      h("p", { class: "quiet" }, `Each feature joins its nearest one of more activation, at a cosine of at least ${format.short(found.link)}; what ends at the same feature is a group. ` +
        (found.groups > found.v.length ? `The ${format.count(found.v.length)} groups of most activation are shown.` : "")),
      found.v.length === 0 ? h("p", { class: "quiet" }, "No two of them are that close.") : h("div", { class: "cards" },
        found.v.map(group => groupCard(child, parent, group))));
  };

  // A parent with the children that took over a part of it: the text where they fire and the parent does not.
  const hole = (child, parent, [id, label, children]) => {
    const box = h("div", {});
    const open = async () => {
      const feature = await fetchFeature(parent, id);
      const found = await Promise.all(children.map(one => fetchFeature(child, one[0])));
      fill(box, h("dl", { class: "facts inline" }, [
        ["hole", format.percent(feature.ho), "share of its activation on tokens where such a child fires"],
        ["coverage", format.percent(feature.co), "share of its activation on tokens where any child of its family fires"]]
        .map(([name, value, title]) => h("div", { title }, h("dt", {}, name), h("dd", {}, value)))),
      h("ol", { class: "same-list" }, found.map(one => {
        const strip = (one.e || []).find(example => example.k === 0);
        return strip ? tree.childStrip(parent, feature, { id: one.i, label: one.n, maximum: one.x },
          { ...strip, pv: strip.pv || [] }) : null;
      })));
      strips.centre(box);
    };
    return h("details", { class: "hole", ontoggle: event => {
      if (event.target.open && !box.firstChild) open().catch(error => fill(box, reportError(error)));
    } }, h("summary", {}, el.id(parent, id), " ", el.label(label), h("span", { class: "quiet" }, " lost a part to "),
      children.map(([other, text, firings], i) => [i > 0 ? ", " : "", el.id(child, other), " ", el.label(text),
        h("span", { class: "quiet" }, ` (${format.plural(firings, "firing")})`)])), box);
  };

  const showHoles = async (main, index) => {
    const { child, parent, counts } = cleave.run.pairs[index];
    const code = cleave.run.child_statuses.indexOf("absorbed");
    const rows = counts[code] > 0 ? await cleave.load(`status/${index}/${code}`) : [];
    const parents = new Map();
    for (const [id, label, firings, other, otherLabel] of rows) {
      if (!parents.has(other)) parents.set(other, [other, otherLabel, []]);
      parents.get(other)[2].push([id, label, firings]);
    }
    fill(main, h("h1", {}, `Holes: ${book.name(parent)} → ${book.name(child)}`),
      h("p", { class: "lead" }, `A feature of ${book.name(parent)} lives on in ${book.name(child)}, but no longer fires where a more special one took over. These are the special ones.`),
      h("p", { class: "quiet" }, counts[code] > rows.length
        ? `The ${format.count(rows.length)} absorbed features of most activation, of ${format.count(counts[code])}.`
        : format.plural(counts[code], "absorbed feature") + "."),
      rows.length === 0 ? null : [...parents.values()].map(one => hole(child, parent, one)));
  };

  return { showNovel, showHoles };
})();
