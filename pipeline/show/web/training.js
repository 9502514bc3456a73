"use strict";
// How each dictionary was trained: what a batch's reconstruction explains, and who is dead, against the rows seen.

const training = (() => {
  const COLOURS = ["kept", "split", "absorbed", "novel", "ambiguous", "composed"].map(name => `var(--${name})`);
  const colour = i => COLOURS[i % COLOURS.length];

  const chart = (found, value, words) => {
    const width = 520, height = 190, margin = { left: 44, right: 10, top: 10, bottom: 36 };
    const x = d3.scaleLinear([0, d3.max(found, ({ training: t }) => d3.max(t.rows))], [margin.left, width - margin.right]);
    const all = found.flatMap(one => one.training.rows.map((_, i) => value(one, i)));
    const y = d3.scaleLinear(words.range(all), [height - margin.bottom, margin.top]).nice().clamp(true);
    const svg = d3.create("svg").attr("viewBox", `0 0 ${width} ${height}`).attr("class", "chart").attr("role", "img")
      .attr("aria-label", words.title);
    svg.append("g").attr("class", "axis").attr("transform", `translate(0,${height - margin.bottom})`)
      .call(d3.axisBottom(x).ticks(6).tickFormat(rows => rows === 0 ? "0" : d3.format("~s")(rows)).tickSizeOuter(0));
    svg.append("g").attr("class", "axis").attr("transform", `translate(${margin.left},0)`)
      .call(d3.axisLeft(y).ticks(5, words.tick).tickSizeOuter(0));
    svg.append("text").attr("class", "tick").attr("x", width - margin.right).attr("y", height - 4)
      .attr("text-anchor", "end").style("font-size", "10px").text("training rows seen");
    found.forEach((one, i) => svg.append("path").attr("class", "curve").style("stroke", colour(i))
      .attr("d", d3.line().x((_, p) => x(one.training.rows[p])).y((_, p) => y(value(one, p)))(one.training.rows)));
    return h("article", { class: "card" }, h("h3", {}, words.title), svg.node());
  };

  const panel = run => {
    const found = run.dictionaries.filter(one => one.training);
    if (found.length === 0) return null;
    const spread = values => {
      const sorted = [...values].sort(d3.ascending);
      return [Math.max(0, d3.quantileSorted(sorted, 0.02)), d3.max(sorted)];
    };
    const last = one => one.training.rows.length - 1;
    return h("section", {}, h("h2", {}, "How they were trained"),
      h("p", { class: "key" }, found.map((one, i) => h("span", {},
        h("i", { class: "key-stroke", "aria-hidden": "true", style: { background: colour(i) } }), `${one.name}: `,
        `${format.real(one.training.explained_variance[last(one)])} explained, `,
        `${format.percent(one.training.dead[last(one)] / one.latents, 1)} dead at the end`))),
      h("div", { class: "cards" },
        chart(found, (one, i) => one.training.explained_variance[i],
          { title: "Explained variance of the batch", tick: ".2f", range: spread }),
        chart(found, (one, i) => one.training.dead[i] / one.latents,
          { title: "Dead latents, as training counts them", tick: ".0%", range: values => [0, d3.max(values) || 0.01] })));
  };

  return { panel };
})();
