"use strict";
// Would another threshold tell another story? Best cosines beside those of chance and of another seed, and every count
// at the 41 thresholds.

const calibration = (() => {
  // Shares of the features, so that curves of different dictionaries compare.
  const shares = counts => {
    const total = d3.sum(counts) || 1;
    return counts.map(count => count / total);
  };

  // The same comparison by a dictionary of another seed, if there is one.
  const twinOf = (run, pair) => run.pairs.find(other => other.parent === pair.parent && other.child !== pair.child &&
    book.dictionary(other.child).control_of === book.name(pair.child));

  const curve = (x, y, values) => d3.line().x((_, i) => x((i + 0.5) / 100)).y(value => y(value))
    .curve(d3.curveMonotoneX)(values);

  const chart = (run, pair) => {
    const width = 520, height = 170, margin = { left: 8, right: 8, top: 10, bottom: 22 };
    const twin = twinOf(run, pair), own = shares(pair.histogram), chance = shares(pair.null_histogram);
    const seed = twin ? shares(twin.histogram) : [];
    const x = d3.scaleLinear([0, 1], [margin.left, width - margin.right]);
    const most = d3.max([...own, ...seed]) || 1; // chance is far narrower: at most twice as high
    const y = d3.scaleLinear([0, Math.max(most, Math.min(2 * most, d3.max(chance)))],
      [height - margin.bottom, margin.top]).clamp(true);
    const svg = d3.create("svg").attr("viewBox", `0 0 ${width} ${height}`).attr("class", "chart").attr("role", "img")
      .attr("aria-label", "Distribution of the best cosine, of chance, and of another seed");
    svg.selectAll("rect.count").data(own).join("rect").attr("class", "count")
      .attr("x", (_, i) => x(i / 100) + 0.5).attr("width", x(0.01) - x(0) - 1)
      .attr("y", value => y(value)).attr("height", value => y(0) - y(value));
    svg.append("path").attr("class", "curve chance").attr("d", curve(x, y, chance));
    if (twin) svg.append("path").attr("class", "curve seed").attr("d", curve(x, y, seed));
    svg.append("g").attr("class", "axis").attr("transform", `translate(0,${height - margin.bottom})`)
      .call(d3.axisBottom(x).ticks(10).tickSizeOuter(0).tickFormat(d => format.short(d, 1)));
    const mark = svg.append("line").attr("class", "mark-line link").attr("y1", margin.top - 6)
      .attr("y2", height - margin.bottom);
    const move = link => {
      mark.attr("x1", x(link)).attr("x2", x(link));
      svg.selectAll("rect.count").attr("class", (_, i) => (i + 0.5) / 100 >= link ? "count linked" : "count");
    };
    const key = [["count", `best cosine of ${book.name(pair.child)}`], ["chance", "of random directions"],
      ...(twin ? [["seed", `of ${book.name(twin.child)}, another seed`]] : [])];
    return { move, node: h("figure", {}, svg.node(), h("figcaption", { class: "key" }, key.map(([name, text]) =>
      h("span", {}, h("i", { class: "key-mark " + name, "aria-hidden": "true" }), text)))) };
  };

  // [name, count] of the statuses at a step, with and without `?` together.
  const statusesAt = (run, pair, step) => {
    const found = new Map();
    run.child_statuses.forEach((name, code) => {
      if (!name) return;
      const base = baseOf(name);
      found.set(base, (found.get(base) || 0) + pair.sweep.statuses[step][code]);
    });
    return [...found];
  };

  const facts = (run, pair, step) => {
    const sweep = pair.sweep, lost = sweep.false_share[step];
    return h("dl", { class: "facts" }, [
      ["linked", format.count(sweep.linked[step])],
      ["expected by chance", sweep.null[step] === null ? "–" : format.real(sweep.null[step], sweep.null[step] < 10 ? 1 : 0)],
      ["false links", lost === null ? "–" : format.percent(lost, 1)],
      ...statusesAt(run, pair, step).filter(([, count]) => count > 0)
        .map(([name, count]) => [el.status(name), format.count(count)])]
      .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
  };

  const panel = run => {
    const pairs = run.pairs.filter(pair => pair.next && !book.dictionary(pair.child).control_of);
    if (pairs.length === 0) return null;
    const charts = pairs.map(pair => ({ pair, chart: chart(run, pair), place: h("div", {}) }));
    const words = h("output", { class: "number" });
    const show = step => {
      const link = run.thresholds[step];
      words.textContent = `${format.real(link, 2)}: ${format.plural(run.sweep_families[step], "family", "families")}`;
      charts.forEach(one => {
        one.chart.move(link);
        fill(one.place, facts(run, one.pair, step));
      });
    };
    const slider = h("input", { type: "range", min: 0, max: run.thresholds.length - 1, step: 1, value: 0,
      id: "threshold", "aria-label": "link threshold", oninput: event => show(Number(event.target.value)) });
    show(0);
    return h("section", {}, h("h2", {}, "Would another threshold tell another story?"),
      h("p", { class: "quiet" }, "Only the cosine that makes a link moves; all other limits stay as they were."),
      h("p", {}, h("label", { for: "threshold" }, "link at "), slider, " ", words),
      h("div", { class: "cards" }, charts.map(one => h("article", { class: "card" },
        h("h3", {}, book.name(one.pair.child), h("span", { class: "quiet" }, " → "), book.name(one.pair.parent)),
        one.chart.node, one.place))));
  };

  return { panel };
})();
