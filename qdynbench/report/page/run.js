// One run. No verdict is made here: which of two solvers is cheaper at a number of trajectories is read off the break-even
// that the analysis found.
function section(data, article, number) {
  const cells = data.cells, calls = data.calls, reference = data.reference;
  const name = index => data.solvers[index], colour = index => `c${data.family[index]}`;
  const prefix = number ? `${number}.` : "";
  const sizes = [...new Set(cells.size)].sort((a, b) => a - b), batches = [...new Set(calls.batch)].sort((a, b) => a - b);
  const solved = sizes.filter(size => cells.size.some((one, at) => one === size && cells.error[at] !== null));
  for (const key of ["seconds", "ratio"]) for (const [end, sign] of [["low", -1], ["high", 1]])
    calls[`${key}_${end}`] = calls[key].map((value, call) => value === null || calls[`${key}_by`][call] === null ? null : value * (1 + calls[`${key}_by`][call]) ** sign);
  for (const [end, key, sign] of [["low", "start_less", -1], ["high", "start_more", 1]])
    calls[`fixed_${end}`] = calls.fixed.map((value, call) => value === null ? null : Math.max(0, value + sign * (cells[key][calls.cell[call]] ?? 0)));
  calls.learning = calls.cell.map(cell => data.learning[cells.solver[cell]]);
  const ofCell = cells.solver.map(() => []);
  calls.cell.forEach((cell, call) => ofCell[cell].push(call));
  const numbers = calls.number_high.filter(value => value !== null && value > 0);
  const decades = Math.min(15, Math.max(6, Math.ceil(Math.log10(10 * Math.max(1, ...numbers)))));
  const usual = {size: String(solved.at(-1) ?? sizes.at(-1) ?? ""), batch: String(batches.at(-1) ?? ""), queries: "10000", seed: String(Math.min(...cells.seed)),
    find: "", only: "", status: "", track: "", family: "", sort: "", metric: Object.keys(data.curves.metrics)[0] ?? "", observable: Object.keys(data.curves.observed)[0] ?? ""};
  const get = key => state.get(prefix + key) ?? usual[key];
  const queries = () => { const value = Number(get("queries")); return Number.isFinite(value) && value >= 1 ? Math.min(value, 1e15) : 1e4; };
  // Shapes tell the settings of one family apart, and the families that share the last colour.
  const marks = name => marks.known.get(name) ?? 0;
  marks.known = new Map();
  const seen = {};
  data.family.forEach((family, index) => { seen[family] = (seen[family] ?? -1) + 1; marks.known.set(index, seen[family]); });

  const called = batch => `${batch} ${batch === "1" ? "state" : "states"} a call`;
  const family = cell => name(cells.solver[cell]).split("[")[0];
  const chosen = cell => !get("family") || family(cell) === get("family") || cells.solver[cell] === reference;  // charts keep what all is compared with
  function here() {
    const [size, seed] = [get("size"), get("seed")];
    return cells.solver.map((_, index) => index).filter(index => String(cells.size[index]) === size && String(cells.seed[index]) === seed && chosen(index));
  }
  const callOf = (cell, batch = get("batch")) => ofCell[cell].find(call => String(calls.batch[call]) === batch) ?? null;
  const each = (call, end = "") => calls[`seconds${end}`][call] === null ? null : calls[`seconds${end}`][call] / calls.batch[call];
  function cost(call, asked) {
    const at = end => { const [fixed, seconds] = [calls[`fixed${end}`][call] ?? (end ? calls.fixed[call] : null), each(call, end)]; return seconds === null ? null : fixed / asked + seconds; };
    return {value: at(""), low: at("_low"), high: at("_high")};
  }
  function standing(call, asked) {  // of a solver beside the reference, by the interval of its break-even
    const kind = calls.crossing[call], low = calls.number_low[call], high = calls.number_high[call];
    if (kind === null) return "";
    if (kind === "always") return "costs less";
    if (kind === "never") return "costs more";
    if (low !== null && asked < low) return kind === "from" ? "costs more" : "costs less";
    if (high !== null && low !== null && asked > high) return kind === "from" ? "costs less" : "costs more";
    return "undecided";
  }
  function crossing(call) {
    const kind = calls.crossing[call], value = calls.number[call], low = calls.number_low[call], high = calls.number_high[call];
    if (kind === null) return ["–", null];
    if (kind === "always" || kind === "never") return [kind, null];
    if (high === null || low === null) return ["undecided", null];
    return [`${kind} ${about(value)}`, value, `${about(low)} to ${about(high)}`];
  }
  const fair = cell => data.suffices[cells.accuracy[cell]];
  const place = what => $(article, `[data-chart="${what}"]`);
  const table = what => $(article, `[data-table="${what}"]`);
  const say = (what, text) => { const at = $(article, `[data-said="${what}"]`); if (at.textContent !== text) at.textContent = text; };
  function swatch(index) {  // colour and shape of a solver
    const made = MARKS[marks(index) % MARKS.length](7, 7), drawn = shape("svg", {viewBox: "0 0 14 14", class: "swatch", "aria-hidden": "true"});
    made.setAttribute("class", `dot ${colour(index)}`);
    drawn.append(made);
    return drawn;
  }
  const error = cell => cells.error[cell] === null ? "–" : cells.below[cell] !== null ? `<${roundedUp(cells.below[cell])}` : interval(cells.error[cell], cells.low[cell], cells.high[cell]);
  const why = cell => `${data.statuses[cells.status[cell]]}${data.reasons[cells.reason[cell]] ? `: ${data.reasons[cells.reason[cell]]}` : ""}`;
  const floorOf = shown => Math.max(0, ...shown.map(cell => cells.floor[cell] ?? 0));
  const rows = {};  // what a button saves

  function rounded(slider) {
    const value = 10 ** Number(slider.value);
    return value < 100 ? Math.round(value) : Number(value.toPrecision(2));
  }

  // Error against the cost of one trajectory, and that cost against their number.
  function drawCost() {
    const asked = queries(), shown = here(), most = 10 ** decades;
    const timed = shown.filter(cell => callOf(cell) !== null && cells.error[cell] !== null);
    const floor = floorOf(timed), lanes = timed.filter(cell => cells.error[cell] < floor), above = timed.filter(cell => cells.error[cell] >= floor);
    const size = get("size"), batch = get("batch");
    const slider = $(article, "[data-slider]");
    slider.max = decades;
    if (rounded(slider) !== asked) slider.value = Math.log10(asked);  // a slider that moved stays where it is
    slider.setAttribute("aria-valuetext", `${count(asked)} trajectories`);
    for (const legend of $$(article, "[data-legend]")) legend.replaceChildren(...[...new Set(shown.map(cell => cells.solver[cell]))].map(index => node("span", {}, swatch(index), name(index))));
    costTable(shown, asked);
    if (!timed.length) {
      place("pareto").replaceChildren(node("p", {class: "dim"}, "No solver has both an error and a time here."));
      place("spread").replaceChildren();
      say("cost", "");
      return;
    }
    const costs = timed.map(cell => cost(callOf(cell), asked));
    const ends = timed.flatMap(cell => [each(callOf(cell)), cost(callOf(cell), 1).value]);
    const lane = 17, under = lanes.length ? lane * lanes.length + 8 : 0;
    const chart = new Chart(place("pareto"), 330 + under, `Error against the cost of one trajectory at ${size} spins and ${count(asked)} trajectories; the table below has the numbers.`);
    const x = log(Math.min(...ends), Math.max(...ends), chart.left, chart.right, chart.width < 500 ? 5 : 9);
    const errors = above.flatMap(cell => [cells.error[cell], cells.high[cell] ?? cells.error[cell], Math.max(floor || 1e-300, cells.low[cell] ?? cells.error[cell])]);
    const y = errors.length ? log(Math.min(...errors), Math.max(...errors), chart.bottom - under, chart.top, 7) : {at: () => chart.top, ticks: []};
    if (under) {
      chart.add("rect", {class: "floor", x: chart.left, y: chart.bottom - under, width: chart.right - chart.left, height: under});
    }
    chart.axes(x, y, "seconds for one trajectory, all costs spread", data.metric);
    if (under) chart.add("text", {x: chart.left - 7, y: chart.bottom - under / 2 + 4, "text-anchor": "end"}, `≤${roundedUp(floor)}`);
    const points = timed.map((cell, at) => {
      const below = lanes.indexOf(cell);
      return {cell, call: callOf(cell), ...costs[at], x: x.at(costs[at].value), y: below < 0 ? y.at(cells.error[cell]) : chart.bottom - under + 12 + lane * below, below: below >= 0};
    });
    const base = points.find(one => cells.solver[one.cell] === reference);
    if (base) {
      if (base.low !== null) chart.add("rect", {class: `band ${colour(reference)}`, x: x.at(base.low), width: Math.max(1, x.at(base.high) - x.at(base.low)), y: chart.top, height: chart.bottom - chart.top});
      chart.add("line", {class: "now", x1: base.x, x2: base.x, y1: chart.top, y2: chart.bottom});
    }
    front(points).forEach((one, at, all) => { if (at) chart.add("path", {class: "front", d: `M${all[at - 1].x} ${all[at - 1].y}H${one.x}V${one.y}`}); });
    for (const one of points) {
      const index = cells.solver[one.cell], [from, to] = [cost(one.call, most).value, cost(one.call, 1).value];
      chart.add("line", {class: `trail ${colour(index)}`, x1: x.at(from), x2: x.at(to), y1: one.y, y2: one.y});
      if (one.low !== null) chart.add("line", {class: `bar ${colour(index)}`, x1: x.at(one.low), x2: x.at(one.high), y1: one.y, y2: one.y});
      if (!one.below && cells.low[one.cell] !== null) chart.add("line", {class: `bar ${colour(index)}`, x1: one.x, x2: one.x, y1: y.at(Math.max(cells.low[one.cell], floor || 1e-300)), y2: y.at(cells.high[one.cell])});
    }
    joined(points, chart);
    for (const one of points) {
      const index = cells.solver[one.cell];
      chart.mark(marks(index), one.x, one.y, colour(index), one.below, `${name(index)}: ${duration(one.value, one.low, one.high)}, error ${error(one.cell)}`);
    }
    chart.labels(points.map(one => [one.x, one.y, shorter(name(cells.solver[one.cell]), chart.width < 500 ? 16 : 30)]));

    const wide = new Chart(place("spread"), 330 + under, `Cost of one trajectory against their number at ${size} spins, ${called(batch)}.`);
    const across = log(1, most, wide.left, wide.right, wide.width < 500 ? 5 : 8);
    const up = log(Math.min(...ends), Math.max(...ends), wide.bottom, wide.top, 7);
    wide.axes(across, up, "trajectories asked for", "seconds for one trajectory");
    const grid = Array.from({length: 6 * decades + 1}, (_, at) => 10 ** (at / 6));
    for (const {cell, call} of points) {
      const index = cells.solver[cell], along = grid.map(number => [number, cost(call, number)]);
      if (along[0][1].low !== null) wide.path([...along.map(([number, one]) => [across.at(number), up.at(one.low)]), ...along.reverse().map(([number, one]) => [across.at(number), up.at(one.high)])], "band", colour(index));
      wide.path(grid.map(number => [across.at(number), up.at(cost(call, number).value)]), "line", colour(index));
      const [, even] = crossing(call);
      if (even !== null && even >= 1 && even <= most) {
        const height = up.at(cost(call, even).value);
        wide.add("line", {class: `bar ${colour(index)}`, x1: across.at(Math.max(1, calls.number_low[call])), x2: across.at(calls.number_high[call]), y1: height, y2: height});
        wide.mark(2, across.at(even), height, colour(index), true, `${name(index)} breaks even ${crossing(call)[0]}`);
      }
    }
    wide.add("line", {class: "now", x1: across.at(asked), x2: across.at(asked), y1: wide.top, y2: wide.bottom});
    for (const one of points) wide.mark(marks(cells.solver[one.cell]), across.at(asked), up.at(one.value), colour(cells.solver[one.cell]), one.below, `${name(cells.solver[one.cell])}: ${duration(one.value)}`);
    const less = points.filter(one => standing(one.call, asked) === "costs less");
    const [good, dear] = [less.filter(one => fair(one.cell)), less.filter(one => !fair(one.cell))].map(found => found.map(one => name(cells.solver[one.cell])).join(", "));
    const beside = reference === null ? "" : name(reference);
    say("cost", !beside ? "" : `With ${count(asked)} trajectories at ${size} spins, ${called(batch)}, ${good || "no solver"} costs less than ${beside} at an error that is not larger${dear ? `; ${dear} costs less at a larger error, or one that is not known` : ""}.`);
  }
  function front(points) {
    const sorted = [...points].sort((one, other) => one.value - other.value || one.y - other.y);
    const found = [];
    for (const one of sorted) {
      const reached = one.below ? 0 : cells.error[one.cell];
      if (!found.length || reached < found.at(-1).reached) found.push({...one, reached});
    }
    return found;
  }
  function joined(points, chart) {  // settings of one series by a line
    const series = Map.groupBy ? Map.groupBy(points, one => data.series[cells.solver[one.cell]]) : new Map();
    for (const same of series.values()) {
      same.sort((one, other) => data.order[cells.solver[one.cell]] - data.order[cells.solver[other.cell]]);
      if (same.length > 1) chart.path(same.map(one => [one.x, one.y]), "line", colour(cells.solver[same[0].cell]));
    }
  }
  function costTable(shown, asked) {
    const listed = shown.map(cell => ({cell, call: callOf(cell)})).map(one => ({...one, ...(one.call === null ? {value: null} : cost(one.call, asked))}));
    listed.sort((one, other) => (one.value ?? Infinity) - (other.value ?? Infinity));
    const head = ["solver", "one trajectory", "beside the reference", "break-even", data.metric, "training", "start-up", "solving"];
    rows.cost = [["solver", "spins", "seed", "states_per_call", "trajectories", "seconds_per_trajectory", "low", "high", "fixed_seconds", "learning_seconds", data.metric, "error_low", "error_high", "floor", "accuracy", "standing", "crossing", "number", "number_low", "number_high", "status", "reason"]];
    const body = listed.map(({cell, call, value, low, high}) => {
      const index = cells.solver[cell], first = node("td", {}, swatch(index), name(index));
      const errors = [cells.error[cell], cells.low[cell], cells.high[cell], cells.floor[cell]];
      const base = [name(index), cells.size[cell], cells.seed[cell], Number(get("batch")), asked];
      if (call === null) {
        const text = cells.status[cell] ? why(cell) : "not timed with so many states a call";
        rows.cost.push([...base, null, null, null, null, null, ...errors, data.accuracies[cells.accuracy[cell]], "", "", null, null, null, data.statuses[cells.status[cell]], data.reasons[cells.reason[cell]]]);
        return node("tr", {class: "reason"}, node("td", {}, swatch(index), name(index)), node("td", {colspan: head.length - 1}, text));
      }
      const parts = [calls.learning[call] / asked, (calls.fixed[call] - calls.learning[call]) / asked, each(call)];
      const share = part => { const percent = 100 * part / value; return part === 0 ? "–" : percent < 1 ? "<1 %" : `${Math.round(percent)} %`; };
      const stand = index === reference ? "reference" : standing(call, asked), [text, number, within] = crossing(call);
      const how = stand === "costs less" && !fair(cell) ? `costs less, ${data.accuracies[cells.accuracy[cell]]}` : stand;
      const tone = stand === "costs less" && fair(cell) ? "green" : stand === "costs more" ? "red" : "dim";
      const even = number === null || number < 1 ? index === reference ? "" : text : node("button", {type: "button", "data-even": number, title: "move the slider there"}, `${text} (${within})`);
      rows.cost.push([...base, value, low, high, calls.fixed[call], calls.learning[call], ...errors, data.accuracies[cells.accuracy[cell]], stand, calls.crossing[call], calls.number[call], calls.number_low[call], calls.number_high[call], data.statuses[cells.status[cell]], data.reasons[cells.reason[cell]]]);
      return node("tr", {}, first, node("td", {}, duration(value, low, high)), node("td", {class: tone}, how), node("td", {}, even), node("td", {}, error(cell)), ...parts.map(part => node("td", {class: "dim"}, share(part))));
    });
    table("cost").replaceChildren(node("thead", {}, node("tr", {}, ...head.map(text => node("th", {scope: "col"}, text)))), node("tbody", {}, ...body));
  }

  // All cells, none left out.
  let longest = ROWS;
  function found() {
    const text = get("find").toLowerCase(), [only, status, track, kind] = ["only", "status", "track", "family"].map(get);
    return cells.solver.map((_, index) => index).filter(index =>
      name(cells.solver[index]).toLowerCase().includes(text) && (!only || String(cells.size[index]) === only) && (!status || data.statuses[cells.status[index]] === status) &&
      (!track || data.tracks[cells.track[index]] === track) && (!kind || family(index) === kind));
  }
  function columns() {
    const of = (key, end = "") => cell => { const call = callOf(cell); return call === null ? null : calls[key + end][call]; };
    const many = new Set(cells.seed).size > 1, seconds = of("seconds"), ratio = of("ratio");
    return [
      {key: "solver", text: "solver", value: cell => name(cells.solver[cell]), show: cell => [swatch(cells.solver[cell]), name(cells.solver[cell])]},
      {key: "size", text: "N", value: cell => cells.size[cell]},
      ...(many ? [{key: "seed", text: "seed", value: cell => cells.seed[cell]}] : []),
      {key: "track", text: "track", value: cell => data.tracks[cells.track[cell]], kind: "left dim"},
      {key: "status", text: "status", value: cell => data.statuses[cells.status[cell]], kind: "left"},
      {key: "error", text: data.metric, value: cell => cells.error[cell], show: cell => [error(cell)]},
      {key: "time", text: `${get("batch")} states`, value: seconds, show: cell => [duration(seconds(cell), of("seconds", "_low")(cell), of("seconds", "_high")(cell)) + (callOf(cell) !== null && calls.timed[callOf(cell)] < calls.batch[callOf(cell)] ? "*" : "")]},
      {key: "ratio", text: "over reference", value: ratio, show: cell => [ratio(cell) === null ? "–" : interval(ratio(cell), of("ratio", "_low")(cell), of("ratio", "_high")(cell))]},
      {key: "pace", text: "pace", value: cell => { const call = callOf(cell); return call === null || calls.pace[call] === null ? "" : data.paces[calls.pace[call]]; }, kind: "left"},
      {key: "accuracy", text: "accuracy", value: cell => cells.solver[cell] === reference ? "" : data.accuracies[cells.accuracy[cell]], kind: "left"},
      {key: "even", text: "break-even", value: of("number"), show: cell => [callOf(cell) === null ? "–" : crossing(callOf(cell))[0]]},
      {key: "memory", text: "memory", value: cell => cells.memory[cell], show: cell => [memory(cells.memory[cell])]},
    ];
  }
  function drawCells() {
    const listed = found(), shown = columns(), [key, down] = get("sort").split("-"), by = shown.find(column => column.key === key);
    if (by) {
      const sign = down ? -1 : 1, keys = new Map(listed.map(cell => [cell, by.value(cell)]));
      const empty = value => value === null || value === "";
      listed.sort((one, other) => {
        const [a, b] = [keys.get(one), keys.get(other)];
        if (empty(a) || empty(b)) return empty(a) - empty(b);  // what has no number stays last
        return sign * (a < b ? -1 : a > b ? 1 : 0);
      });
    }
    rows.cells = listed;
    const head = shown.map(column => node("th", {scope: "col", class: column.kind?.split(" ")[0] ?? null, "aria-sort": by === column ? down ? "descending" : "ascending" : null}, paper.on ? column.text : node("button", {type: "button", "data-sort": column.key}, column.text)));
    const body = listed.slice(0, longest).map(cell => {
      const bad = cells.status[cell] !== 0, number = ofCell[cell].length || cells.error[cell] !== null;
      if (bad && !number) {
        const kept = shown.slice(0, shown.findIndex(column => column.key === "error"));
        return node("tr", {class: "reason"}, ...kept.map(column => node("td", {class: column.kind ?? null}, ...(column.show?.(cell) ?? [String(column.value(cell))]))), node("td", {colspan: shown.length - kept.length, class: "left"}, data.reasons[cells.reason[cell]]));
      }
      return node("tr", {class: bad ? "reason" : null, title: bad ? why(cell) : null}, ...shown.map(column => node("td", {class: column.kind ?? null}, ...(column.show?.(cell) ?? [String(column.value(cell))]), ...(bad && column.key === "status" ? [`: ${data.reasons[cells.reason[cell]]}`] : []))));
    });
    table("cells").replaceChildren(node("thead", {}, node("tr", {}, ...head)), node("tbody", {}, ...body));
    const more = $(article, "[data-more]");
    more.hidden = listed.length <= longest || longest >= MOST_ROWS;
    say("cells", `${listed.length} of ${cells.solver.length} cells${listed.length > longest ? `, ${longest} of them shown; CSV has all` : ""}.`);
  }
  function allCells() {
    const head = ["solver", "spins", "seed", "track", "status", "reason", `${data.metric}`, "error_low", "error_high", "floor", "accuracy", "prepare_seconds", "first_call_seconds", "peak_memory_bytes",
      "states_per_call", "states_timed", "threads", "seconds", "seconds_low", "seconds_high", "fixed_seconds", "learning_seconds", "ratio", "ratio_low", "ratio_high", "pace", "crossing", "number", "number_low", "number_high", "disturbed_rounds"];
    const body = rows.cells.flatMap(cell => (ofCell[cell].length ? ofCell[cell] : [null]).map(call => [
      name(cells.solver[cell]), cells.size[cell], cells.seed[cell], data.tracks[cells.track[cell]], data.statuses[cells.status[cell]], data.reasons[cells.reason[cell]],
      cells.error[cell], cells.low[cell], cells.high[cell], cells.floor[cell], data.accuracies[cells.accuracy[cell]], cells.prepare[cell], cells.first[cell], cells.memory[cell],
      ...(call === null ? [] : [...["batch", "timed", "threads", "seconds", "seconds_low", "seconds_high", "fixed", "learning", "ratio", "ratio_low", "ratio_high"].map(key => calls[key][call]),
        calls.pace[call] === null ? "" : data.paces[calls.pace[call]], ...["crossing", "number", "number_low", "number_high", "disturbed"].map(key => calls[key][call])])]));
    return [head, ...body];
  }

  // Errors along time and size.
  function drawCurves() {
    const metric = get("metric"), all = (data.curves.metrics[metric] ?? []).filter(one => String(cells.seed[one.cell]) === get("seed") && chosen(one.cell));
    const drawn = all.filter(one => String(cells.size[one.cell]) === get("size"));
    const lowest = axis => ({...axis, ticks: [...axis.ticks.filter(([value]) => value > 1.5 * axis.low), [axis.low, `≤${power(Math.round(Math.log10(axis.low)))}`]]});
    const scale = found => {
      // Nothing is drawn more than a decade below the smallest mean that the reference resolves.
      const resolved = found.flatMap(one => one.mean.filter(value => value > Math.max(1e-17, one.floor ?? 0)));
      const floor = resolved.length ? 10 ** Math.floor(Math.log10(Math.min(...resolved)) - 1) : 1e-17;
      const values = found.flatMap(one => [...one.mean, ...one.high]).filter(value => value !== null && value > 0).map(value => Math.max(value, floor));
      return {floor, values: values.length ? [...values, floor] : values};
    };
    rows.curves = [["solver", "spins", "seed", "metric", "time", "mean", "low", "high"], ...all.flatMap(one => data.curves.times.map((time, at) => [name(cells.solver[one.cell]), cells.size[one.cell], cells.seed[one.cell], metric, time, one.mean[at], one.low[at], one.high[at]]))];
    const {floor, values} = scale(drawn);
    if (!values.length) place("curve").replaceChildren(node("p", {class: "dim"}, "No curve of this error at this size."));
    else {
      const chart = new Chart(place("curve"), 320, `${metric} against time at ${get("size")} spins.`);
      const x = linear(0, data.curves.times.at(-1), chart.left, chart.right, 6), y = log(Math.min(...values), Math.max(...values), chart.bottom, chart.top, 7);
      chart.axes(x, lowest(y), "time (1/energy)", metric);
      for (const one of drawn) {
        const index = cells.solver[one.cell], at = (key, step) => [x.at(data.curves.times[step]), y.at(Math.max(one[key][step], floor))];
        const steps = data.curves.times.map((_, step) => step).filter(step => one.mean[step] !== null);
        const sure = steps.filter(step => one.low[step] !== null);
        chart.path([...sure.map(step => at("low", step)), ...sure.reverse().map(step => at("high", step))], "band", colour(index));
        chart.path(steps.map(step => at("mean", step)), "line", colour(index));
        const last = steps.at(-1);
        chart.mark(marks(index), ...at("mean", last), colour(index), one.mean[last] <= floor, `${name(index)}: ${significant(one.mean[last])}`);
      }
      named(chart, drawn.map(one => [cells.solver[one.cell], y.at(Math.max(one.mean.at(-1) ?? floor, floor))]));
    }
    const last = all.filter(one => one.mean.at(-1) !== null), ends = scale(last);
    if (!ends.values.length) place("growth").replaceChildren(node("p", {class: "dim"}, "No error at the last step."));
    else {
      const chart = new Chart(place("growth"), 320, `${metric} at the last step against the number of spins.`);
      const lows = [ends.floor, ...last.flatMap(one => [one.mean.at(-1), one.high.at(-1)]).filter(value => value > ends.floor)];
      const x = linear(sizes[0] - 0.5, sizes.at(-1) + 0.5, chart.left, chart.right, 8, true), y = log(Math.min(...lows), Math.max(...lows), chart.bottom, chart.top, 7);
      chart.axes(x, lowest(y), "spins N", metric);
      const series = new Map();
      for (const one of last) series.set(cells.solver[one.cell], [...(series.get(cells.solver[one.cell]) ?? []), one]);
      for (const [index, same] of series) {
        same.sort((one, other) => cells.size[one.cell] - cells.size[other.cell]);
        const at = (one, key) => [x.at(cells.size[one.cell]), y.at(Math.max(one[key].at(-1), ends.floor))];
        chart.path(same.map(one => at(one, "mean")), "line", colour(index));
        for (const one of same) {
          if (one.low.at(-1) !== null) { const [across, low] = at(one, "low"); chart.add("line", {class: `bar ${colour(index)}`, x1: across, x2: across, y1: low, y2: at(one, "high")[1]}); }
          chart.mark(marks(index), ...at(one, "mean"), colour(index), one.mean.at(-1) <= ends.floor, `${name(index)}, ${cells.size[one.cell]} spins: ${significant(one.mean.at(-1))}`);
        }
      }
    }
    drawObserved();
    const full = Object.values(data.curves.metrics).flat().length >= data.curves.most;
    say("curves", `Mean over test states with its 95 % interval; hollow marks lie at the lower edge or below it.${full ? ` The page holds ${data.curves.most} curves; the files of the run have all.` : ""}`);
  }
  function drawObserved() {
    const title = get("observable"), known = (data.curves.observed[title] ?? []).filter(one => String(cells.seed[one.cell]) === get("seed") && (one.reference || chosen(one.cell)));
    const drawn = known.filter(one => String(cells.size[one.cell]) === get("size"));
    const at = place("observed");
    rows.curves.push(...known.flatMap(one => data.curves.times.map((time, step) => [one.reference ? "reference" : name(cells.solver[one.cell]), cells.size[one.cell], cells.seed[one.cell], title, time, one.mean[step], null, null])));
    at.closest("figure").hidden = !Object.keys(data.curves.observed).length;
    if (!drawn.length) return at.replaceChildren(node("p", {class: "dim"}, "Not known at this size."));
    const values = drawn.flatMap(one => one.mean).filter(value => value !== null), chart = new Chart(at, 320, `${title} against time at ${get("size")} spins.`);
    const x = linear(0, data.curves.times.at(-1), chart.left, chart.right, 6), y = linear(Math.min(...values), Math.max(...values), chart.bottom, chart.top, 6);
    chart.axes(x, y, "time (1/energy)", title);
    const points = one => one.mean.map((value, step) => [x.at(data.curves.times[step]), value]).filter(([, value]) => value !== null).map(([across, value]) => [across, y.at(value)]);
    const [exact, others] = [drawn.filter(one => one.reference), drawn.filter(one => !one.reference)];
    for (const one of others) chart.path(points(one), "line", colour(cells.solver[one.cell]));
    for (const one of exact) chart.path(points(one), "now", "");  // over the others, which it would be hidden below
  }
  function named(chart, found) {  // at the right end of curves, above each of them
    const text = found.map(([index, y]) => [chart.right, y - 9, shorter(name(index), 30)]);
    chart.labels(text);
  }

  // Every launch and round.
  function drawRounds() {
    const timed = here().map(cell => [cell, callOf(cell)]).filter(([, call]) => call !== null), kept = timed.filter(([, call]) => data.rounds[call]);
    rows.rounds = [["solver", "spins", "seed", "states_per_call", "launch", "round", "seconds"], ...kept.flatMap(([cell, call]) => data.rounds[call].flatMap((launch, number) => launch.map((value, round) => [name(cells.solver[cell]), cells.size[cell], cells.seed[cell], calls.batch[call], number + 1, round + 1, +((1 + value / 1e4) * calls.seconds[call]).toPrecision(5)])))];
    const lines = kept.reduce((sum, [, call]) => sum + data.rounds[call].length, 0);
    const slowed = timed.filter(([, call]) => calls.disturbed[call]).map(([cell, call]) => `${calls.disturbed[call]} rounds of ${name(cells.solver[cell])}`);
    say("rounds", `${kept.length < timed.length ? "Single rounds of the other solvers are in the files of the run only. " : ""}${slowed.length ? `Slowed by something else, also when run again: ${slowed.join(", ")}.` : ""}`);
    if (!lines) return place("rounds").replaceChildren(node("p", {class: "dim"}, "Nothing was timed here."));
    const step = 9, gap = 26, height = 54 + lines * step + kept.length * gap;
    const chart = new Chart(place("rounds"), height, `Times of each launch and round at ${get("size")} spins, ${called(get("batch"))}, relative to the typical time of each solver.`, {left: 14});
    const values = kept.flatMap(([, call]) => data.rounds[call].flat()).map(value => 1 + value / 1e4);
    const low = Math.max(0.2, Math.min(0.8, ...values)), high = Math.min(5, Math.max(1.25, ...values));
    const x = {at: value => chart.left + (chart.right - chart.left) * Math.log(Math.min(Math.max(value, low), high) / low) / Math.log(high / low),
      ticks: [0.2, 0.25, 0.33, 0.5, 0.67, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 3, 4, 5].filter(value => value >= low && value <= high).map(value => [value, String(value)])};
    const thin = x.ticks.filter(([value], at) => value === 1 || at === 0 || x.at(value) - x.at(x.ticks[at - 1][0]) > 34);
    chart.axes({...x, ticks: thin}, {ticks: []}, "time of a round over the solver's typical time", "");
    let y = chart.top;
    for (const [cell, call] of kept) {
      const index = cells.solver[cell];
      y += gap;
      chart.add("text", {class: "label", x: chart.left + 6, y: y - 9}, `${shorter(name(index), 30)}  ${duration(calls.seconds[call], calls.seconds_low[call], calls.seconds_high[call])}`);
      if (calls.seconds_low[call] !== null) chart.add("rect", {class: `band ${colour(index)}`, x: x.at(calls.seconds_low[call] / calls.seconds[call]), width: Math.max(1, x.at(calls.seconds_high[call] / calls.seconds[call]) - x.at(calls.seconds_low[call] / calls.seconds[call])), y: y - 4, height: data.rounds[call].length * step});
      data.rounds[call].forEach((launch, number) => {
        const ordered = launch.map(value => 1 + value / 1e4).sort((a, b) => a - b);
        chart.add("line", {class: `trail ${colour(index)}`, x1: x.at(ordered[0]), x2: x.at(ordered.at(-1)), y1: y, y2: y});
        launch.forEach((value, round) => {
          const made = chart.add("circle", {class: `dot ${colour(index)}`, cx: x.at(1 + value / 1e4), cy: y, r: 3});
          made.append(shape("title", {}, `${name(index)}, launch ${number + 1}, round ${round + 1}: ${duration((1 + value / 1e4) * calls.seconds[call])}`));
        });
        y += step;
      });
    }
  }

  function drawTraining() {
    for (const at of $$(article, "[data-training]")) {
      const curve = data.training[at.dataset.training];
      if (!curve) continue;
      const keys = ["loss", "validation_loss", "rollout_error"].filter(key => curve.filter(point => point[key] > 0).length > 1);
      const across = ["updates", "epoch", "fraction"].find(key => curve.every(point => typeof point[key] === "number"));
      if (!keys.length || !across) continue;
      at.nextElementSibling.hidden = false;
      const values = curve.flatMap(point => keys.map(key => point[key])).filter(value => value > 0);
      const chart = new Chart(at, 200, `Training curve: ${keys.join(", ")} against ${across}.`);
      const x = linear(curve[0][across], curve.at(-1)[across], chart.left, chart.right, 5), y = log(Math.min(...values), Math.max(...values), chart.bottom, chart.top, 5);
      chart.axes(x, y, across, "training");
      keys.forEach((key, number) => chart.path(curve.filter(point => point[key] > 0).map(point => [x.at(point[across]), y.at(point[key])]), "line", `c${number}`));
      keys.forEach((key, number) => {
        const y = chart.top + 10 + 15 * number;
        chart.path([[chart.right - 24, y], [chart.right, y]], "line", `c${number}`);
        chart.add("text", {class: "label", x: chart.right - 30, y: y + 4, "text-anchor": "end"}, key.replace("_", " "));
      });
    }
  }

  const draw = {cost: drawCost, cells: drawCells, curves: drawCurves, rounds: drawRounds, training: drawTraining};
  const needs = {size: ["cost", "curves", "rounds"], seed: ["cost", "curves", "rounds"], batch: ["cost", "cells", "rounds"], family: ["cost", "cells", "curves", "rounds"], track: ["cells"], queries: ["cost"], metric: ["curves"], observable: ["curves"], find: ["cells"], only: ["cells"], status: ["cells"], sort: ["cells"]};
  function keep(key, value) { if (value === usual[key]) state.delete(prefix + key); else state.set(prefix + key, value); }
  function set(key, value) {
    keep(key, value);
    save();
    show();
    for (const part of needs[key]) draw[part]();
  }
  function go(view) {  // show a case, and the part that has its costs
    for (const [key, value] of Object.entries(view)) keep(key, value);
    save();
    all();
    visit($(article, '[id$="-cost"]'));
  }
  function show() {  // every control of a key has its value
    for (const control of $$(article, "[data-key]")) if (control !== document.activeElement || control.tagName === "SELECT") {
      control.value = control.dataset.key === "queries" ? String(queries()) : get(control.dataset.key);
    }
  }
  const observables = $(article, '[data-key="observable"]');
  observables.append(...Object.keys(data.curves.observed).map(title => node("option", {value: title}, title)));
  observables.closest("label").hidden = !observables.children.length;
  $(article, '[data-key="metric"]').append(...Object.keys(data.curves.metrics).map(metric => node("option", {value: metric}, metric)));
  article.addEventListener("input", event => {
    if (event.target.matches("[data-slider]")) {
      set("queries", String(rounded(event.target)));
    } else if (event.target.dataset.key) {
      longest = ROWS;
      set(event.target.dataset.key, event.target.value);
    }
  });
  article.addEventListener("click", event => {
    const button = event.target.closest("button");
    if (!button) return;
    const {sort, even, csv: text, parquet: table, svg, save: file} = button.dataset, stem = `qdynbench-${number + 1}`;
    if (sort) {
      const [key, down] = get("sort").split("-");
      set("sort", key !== sort ? sort : down ? "" : `${sort}-down`);
      $(article, `[data-sort="${sort}"]`)?.focus();
    } else if (even) {
      set("queries", String(Math.ceil(Number(even))));
      $(article, "[data-slider]").focus();
    }
    else if (file) download(file, "text/yaml", $(article, "[data-task]").textContent);
    else if ("more" in button.dataset) { longest += 200; drawCells(); }
    else give(stem, {text, table, svg}, what => what === "cells" ? allCells() : rows[what], place);
  });
  const all = () => { show(); Object.values(draw).forEach(one => one()); };
  all();
  return {all, go, charts: () => [drawCost, drawCells, drawCurves, drawRounds, drawTraining].forEach(one => one())};
}
