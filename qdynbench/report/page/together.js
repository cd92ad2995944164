// All runs together. Who is good enough, who is faster and the ranks come from the analysis; here they are counted and drawn.
const MOST_PAIRED = 16, MOST_LISTED = 300;
function together(data, runs, place, sections) {
  const cases = data.cases, usual = {of: "", with: "", first: "", other: ""};
  const get = key => state.get(key) ?? usual[key];
  const label = run => data.groups.find(([, numbers]) => numbers.length === 1 && numbers[0] === run)[0];
  const colour = solver => `c${data.family[solver]}`, name = solver => data.solvers[solver];
  const seen = {}, marks = data.family.map(family => seen[family] = (seen[family] ?? -1) + 1);
  const won = verdict => data.points[verdict] === 0, lost = verdict => data.points[verdict] === 1;
  const [ENOUGH, SAME, NEITHER] = [data.standings.indexOf("accurate enough"), data.verdicts.indexOf("indistinguishable"), data.verdicts.indexOf("neither accurate enough")];
  const mirrored = {};
  for (const [one, other] of [["faster", "slower"], ["alone accurate enough", "the other alone accurate enough"]]) {
    const pair = [data.verdicts.indexOf(one), data.verdicts.indexOf(other)];
    [mirrored[pair[0]], mirrored[pair[1]]] = [pair[1], pair[0]];
  }
  // Each pair is looked at from both sides, in every case, at every change of the view: lists are quicker than keys.
  const met = data.solvers.map(() => []);
  for (const {pair: [one, other], verdict: text, ratio} of data.pairs) {
    const verdict = [...text].map(found => found === "-" ? null : Number(found));
    met[one][other] = {verdict, ratio, turned: false};
    met[other][one] = {verdict: verdict.map(found => mirrored[found] ?? found), ratio, turned: true};
  }
  const verdictOf = (first, other, number) => met[first][other]?.verdict[number] ?? null;  // nothing where a run lacks one
  function ratioOf(first, other, number) {
    const {ratio, turned} = met[first][other], [value, by] = ratio[number] ?? [null, null];
    if (value === null) return null;
    const one = turned ? 1 / value : value;
    return by === null ? [one, null, null] : [one, one / (1 + by), one * (1 + by)];
  }
  const at = what => $(place, `[data-${what}]`), chart = what => $(place, `[data-chart="${what}"]`);
  const caseOf = new Map(cases.run.map((run, number) => [[run, cases.size[number], cases.seed[number], cases.batch_size[number]].join("|"), number]));
  const time = data.solvers.map(() => []);  // seconds of a call of each solver in each case
  runs.forEach((run, number) => {
    const solvers = run.solvers.map(solver => data.solvers.indexOf(solver));
    run.calls.cell.forEach((cell, call) => { time[solvers[run.cells.solver[cell]]][caseOf.get([number, run.cells.size[cell], run.cells.seed[cell], run.calls.batch[call]].join("|"))] = run.calls.seconds[call]; });
  });
  const seconds = (solver, number) => time[solver][number] ?? null;
  const cells = runs.map(run => new Map(run.cells.solver.map((solver, cell) => [[run.solvers[solver], run.cells.size[cell], run.cells.seed[cell]].join("|"), cell])));
  const cellOf = (solver, number) => cells[cases.run[number]].get([name(solver), cases.size[number], cases.seed[number]].join("|")) ?? null;
  const errorOf = (solver, number) => { const cell = cellOf(solver, number); return cell === null ? null : runs[cases.run[number]].cells.error[cell]; };
  const errorText = (solver, number) => {
    const cell = cellOf(solver, number), below = cell === null ? null : runs[cases.run[number]].cells.below[cell];
    return below === null ? significant(errorOf(solver, number)) : `<${roundedUp(below)}`;
  };
  const reasonOf = (solver, number) => { const cell = cellOf(solver, number), run = runs[cases.run[number]]; return cell === null ? "" : run.reasons[run.cells.reason[cell]]; };
  const rows = {};
  const view = () => data.views.find(one => String(one.group || "") === get("of") && String(one.batch ?? "") === get("with")) ?? data.views[0];
  const chosen = seen => cases.run.map((_, number) => number).filter(number => data.groups[seen.group][1].includes(cases.run[number]) && (seen.batch === null || cases.batch_size[number] === seen.batch));
  const several = (number, what) => `${count(number)} ${what}${number === 1 ? "" : "s"}`;
  const filled = (table, head, body) => table.replaceChildren(node("thead", {}, node("tr", {}, ...head.map(text => node("th", {scope: "col"}, text)))), node("tbody", {}, ...body));
  function solverCell(solver, kind = "td") {
    const drawn = shape("svg", {viewBox: "0 0 14 14", class: "swatch", "aria-hidden": "true"}), made = MARKS[marks[solver] % MARKS.length](7, 7);
    made.setAttribute("class", `dot ${colour(solver)}`);
    drawn.append(made);
    return node(kind, kind === "th" ? {scope: "row"} : {}, drawn, name(solver));
  }

  function draw() {
    const seen = view(), numbers = chosen(seen), solvers = seen.solvers, left = data.solvers.map((_, solver) => solver).filter(solver => !solvers.includes(solver) && numbers.some(number => data.standing[solver][number] !== null));
    const problems = new Set(numbers.map(number => cases.problem[number])).size, over = new Set(numbers.map(number => cases.run[number])).size;
    for (const [key, value] of [["of", seen.group || ""], ["with", seen.batch]]) $(place, `[data-key="${key}"]`).value = String(value ?? "");
    const standing = (solver, number) => data.standing[solver][number];
    const best = new Map(numbers.map(number => [number, Math.min(...solvers.filter(solver => standing(solver, number) === ENOUGH).map(solver => seconds(solver, number) ?? Infinity))]));
    const first = new Map(solvers.map(solver => [solver, numbers.filter(number => standing(solver, number) === ENOUGH && solvers.every(other => other === solver || !lost(verdictOf(solver, other, number)))).length]));
    const ranks = new Map(solvers.map((solver, place) => [solver, seen.rank?.[place] ?? [null, null, null]]));
    const ordered = [...solvers].sort((one, other) => (ranks.get(one)[0] ?? -first.get(one)) - (ranks.get(other)[0] ?? -first.get(other)));
    const lead = ordered.filter(solver => first.get(solver) === Math.max(...first.values()));
    const found = solvers.length > 1 && lead.length && first.get(lead[0]) && data.pairs.length
      ? `${lead.map(name).join(" and ")} ${lead.length > 1 ? "are" : "is"} accurate enough and not beaten in ${several(first.get(lead[0]), "comparison")} of ${count(numbers.length)}, more often than any other solver here. ` : "";
    at('said="together"').textContent = `${found}${several(solvers.length, "solver")} in ${several(numbers.length, "comparison")} of ${several(over, "run")}: ${several(problems, "different problem")}.`;
    const apart = left.length ? `Not compared here, since not every one of these runs has ${left.length > 1 ? "them" : "it"}: ${left.map(name).join(", ")}. Choose fewer runs above to see ${left.length > 1 ? "them" : "it"}. ` : "";
    const few = !seen.rank ? "There are too many pairs to judge: mean ranks and pairs are left out. A page of fewer runs has them."
      : seen.rank.every(one => one[1] === null) ? "With fewer than 10 different problems a mean rank has no interval." : "";
    at('said="few"').textContent = apart + few;
    outcomes(ordered, numbers, first, ranks, standing);
    profile(ordered, numbers, best, standing);
    rankChart(ordered.filter(solver => ranks.get(solver)[0] !== null), ranks, solvers.length);
    pairs(ordered.slice(0, MOST_PAIRED), numbers, ordered.length);
  }
  function outcomes(ordered, numbers, first, ranks, standing) {
    const kinds = data.standings.map((_, kind) => kind).filter(kind => kind !== ENOUGH && ordered.some(solver => numbers.some(number => standing(solver, number) === kind)));
    const judged = data.pairs.length > 0, head = ["solver", ...(judged ? ["mean rank", "not beaten", "beaten"] : ["accurate enough"]), ...kinds.map(kind => data.standings[kind])];
    rows.together = [["solver", "comparisons", "mean_rank", "rank_low", "rank_high", "not_beaten", "accurate_enough", ...data.standings.filter((_, kind) => kind !== ENOUGH).map(text => text.replaceAll(" ", "_"))]];
    const body = ordered.map(solver => {
      const how = kind => numbers.filter(number => standing(solver, number) === kind).length, enough = how(ENOUGH);
      rows.together.push([name(solver), numbers.length, ...ranks.get(solver), judged ? first.get(solver) : null, enough, ...data.standings.map((_, kind) => kind).filter(kind => kind !== ENOUGH).map(how)]);
      return node("tr", {}, solverCell(solver), ...(judged ? [node("td", {}, ranked(ranks.get(solver)))] : []), ...[...(judged ? [first.get(solver), enough - first.get(solver)] : [enough]), ...kinds.map(how)].map(value => node("td", {class: value ? null : "dim"}, value ? String(value) : "–")));
    });
    filled(at('table="together"'), head, body);
  }
  const ranked = ([value, low, high]) => value === null ? "–" : `${value.toFixed(2)}${low === null ? "" : ` (${low.toFixed(2)} to ${high.toFixed(2)})`}`;
  function profile(ordered, numbers, best, standing) {
    const curves = ordered.map(solver => [solver, numbers.filter(number => standing(solver, number) === ENOUGH).map(number => seconds(solver, number) / best.get(number)).filter(Number.isFinite).sort((a, b) => a - b)]);
    const drawn = new Chart(chart("profile"), 330, `Performance profile of ${several(ordered.length, "solver")} over ${several(numbers.length, "comparison")}; the table has the counts.`);
    const x = log(1, 1.2 * Math.max(1, ...curves.map(([, ratios]) => ratios.at(-1) ?? 1)), drawn.left, drawn.right, 7), y = linear(0, 1, drawn.bottom, drawn.top, 5);
    drawn.axes(x, y, "at most so many times the time of the fastest", "part of all comparisons");
    rows.profile = [["solver", "times_the_fastest", "part"]];
    const ends = [];
    for (const [solver, ratios] of curves) {
      const points = [];
      ratios.forEach((ratio, number) => {
        const part = (number + 1) / numbers.length;
        rows.profile.push([name(solver), +ratio.toPrecision(4), +part.toPrecision(4)]);
        points.push([x.at(ratio), y.at(number / numbers.length)], [x.at(ratio), y.at(part)]);
      });
      if (!ratios.length) rows.profile.push([name(solver), null, 0]);
      const height = y.at(ratios.length / numbers.length);
      points.push([drawn.right, height]);
      drawn.path(ratios.length ? points : [[drawn.left, height], ...points], "line", colour(solver));
      drawn.mark(marks[solver], drawn.right, height, colour(solver), false, `${name(solver)}: accurate enough in ${ratios.length} of ${numbers.length}`);
      ends.push([drawn.right, height - 9, shorter(name(solver), drawn.width < 500 ? 16 : 30)]);
    }
    drawn.labels(ends);
  }
  function rankChart(ordered, ranks, most) {
    if (!ordered.length) return chart("rank").replaceChildren(node("p", {class: "dim"}, "No ranks."));
    const step = 34, drawn = new Chart(chart("rank"), 60 + step * ordered.length, `Mean ranks: ${ordered.map(solver => `${name(solver)} ${ranked(ranks.get(solver))}`).join(", ")}.`, {left: 14});
    const x = linear(1, Math.max(2, most), drawn.left + 8, drawn.right - 8, 8, true);
    drawn.axes(x, {ticks: []}, "mean rank", "");
    ordered.forEach((solver, number) => {
      const [value, low, high] = ranks.get(solver), y = drawn.top + step * (number + 0.75), text = shorter(name(solver), 34), right = x.at(value) > (drawn.left + drawn.right) / 2;
      if (low !== null) drawn.add("line", {class: `bar ${colour(solver)}`, x1: x.at(low), x2: x.at(high), y1: y, y2: y});
      drawn.mark(marks[solver], x.at(value), y, colour(solver), false, `${name(solver)}: ${ranked([value, low, high])}`);
      drawn.add("text", {class: "label", x: x.at(value) + (right ? 6 : -6), y: y - 9, "text-anchor": right ? "end" : "start"}, text);
    });
  }
  function pairs(listed, numbers, all) {
    const table = at('table="pairs"');
    at("pairs").hidden = listed.length < 2 || !data.pairs.length;
    if (at("pairs").hidden) { at("duel").hidden = true; rows.pairs = [["first"]]; return; }
    rows.pairs = [["first", "other", "comparisons", "won", "tied", "not_decided", "lost"]];
    const body = listed.map(first => node("tr", {}, solverCell(first, "th"), ...listed.map(other => {
      if (first === other) return node("td", {class: "dim"}, "–");
      const verdicts = numbers.map(number => verdictOf(first, other, number)), wins = verdicts.filter(won).length, losses = verdicts.filter(lost).length;
      const ties = verdicts.filter(one => one === SAME || one === NEITHER).length;
      rows.pairs.push([name(first), name(other), numbers.length, wins, ties, numbers.length - wins - losses - ties, losses]);
      const said = `${name(first)} won ${wins} of ${numbers.length} comparisons with ${name(other)}, lost ${losses}, tied ${ties}`;
      return node("td", {}, node("button", {type: "button", "data-first": name(first), "data-other": name(other), title: `${said}: list them`, "aria-label": `${said}. List them.`}, node("b", {}, `${Math.round(100 * wins / numbers.length)} %`), ` ${wins} : ${losses}`));
    })));
    table.replaceChildren(node("thead", {}, node("tr", {}, node("th", {scope: "col"}, "won by"), ...listed.map(other => node("th", {scope: "col"}, `against ${name(other)}`)))), node("tbody", {}, ...body));
    at('said="pairs"').textContent = listed.length < all ? `The first ${listed.length} of ${all} solvers by mean rank.` : "";
    duel(listed, numbers);
  }
  function duel(listed, numbers) {  // all comparisons of a pair
    const [first, other] = [get("first"), get("other")].map(text => data.solvers.indexOf(text));
    at("duel").hidden = !listed.includes(first) || !listed.includes(other) || first === other;
    if (at("duel").hidden) { delete rows.duel; return; }
    at("duel-title").textContent = `${name(first)} against ${name(other)}`;
    const head = ["run", "N", "seed", "states a call", name(first), "time over the other's", `error of ${name(first)}`, `error of ${name(other)}`, "why", ""];
    rows.duel = [["run", "spins", "seed", "states_per_call", "first", "other", "verdict", "ratio", "ratio_low", "ratio_high", "first_error", "other_error", "first_standing", "other_standing", "first_reason", "other_reason"]];
    const body = numbers.map((number, listed) => {
      const verdict = verdictOf(first, other, number), ratio = ratioOf(first, other, number), both = [first, other], how = both.map(solver => data.standings[data.standing[solver][number]]);
      const errors = both.map(solver => errorOf(solver, number)), reasons = both.map(solver => reasonOf(solver, number)), where = [label(cases.run[number]), cases.size[number], cases.seed[number], cases.batch_size[number]];
      rows.duel.push([...where, name(first), name(other), data.verdicts[verdict], ...(ratio ?? [null, null, null]), ...errors, ...how, ...reasons]);
      if (listed >= MOST_LISTED) return "";
      const why = both.map((solver, place) => how[place] === data.standings[ENOUGH] ? "" : `${name(solver)}: ${how[place]}${reasons[place] ? `, ${reasons[place]}` : ""}`).filter(Boolean).join("; ");
      const show = node("button", {type: "button", "data-show": number, "aria-label": `show ${where[0]} at ${where[1]} spins, ${where[3]} states a call`}, "show");
      return node("tr", {}, node("td", {}, where[0]), ...where.slice(1).map(value => node("td", {}, String(value))), node("td", {class: `left ${won(verdict) ? "green" : lost(verdict) ? "red" : "dim"}`}, data.verdicts[verdict]), node("td", {}, ratio ? interval(...ratio) : "–"), ...both.map(solver => node("td", {}, errorText(solver, number))), node("td", {class: "left why"}, why), node("td", {}, show));
    });
    filled(at('table="duel"'), head, body.filter(Boolean));
    at('said="duel"').textContent = numbers.length > MOST_LISTED ? `The first ${MOST_LISTED} of ${count(numbers.length)} comparisons; CSV and Parquet have all.` : `${several(numbers.length, "comparison")}.`;
  }

  function set(values) {
    for (const [key, value] of Object.entries(values)) if (value === usual[key]) state.delete(key); else state.set(key, value);
    save();
    draw();
  }
  place.addEventListener("input", event => { if (event.target.dataset.key) set({[event.target.dataset.key]: event.target.value}); });
  place.addEventListener("click", event => {
    const button = event.target.closest("button");
    if (!button) return;
    const {first, other, show, csv: text, parquet: table, svg} = button.dataset;
    if (first) { set({first, other}); $(place, "[data-duel-title]").focus(); }
    else if (show) {
      const number = Number(show);
      sections[cases.run[number]].go({size: String(cases.size[number]), seed: String(cases.seed[number]), batch: String(cases.batch_size[number])});
    }
    else give("qdynbench-together", {text, table, svg}, what => rows[what], chart);
  });
  draw();
  return {all: draw, charts: draw};
}
