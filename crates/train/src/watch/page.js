'use strict';
(() => {
  const given = JSON.parse(document.getElementById('data').textContent);
  const onDisk = location.protocol === 'file:';
  if (window.parent !== window) {
    // Loaded by an older page to hand over newer data; files have no origin that could be named.
    window.parent.postMessage({ watch: given }, onDisk ? '*' : location.origin);
    return;
  }

  const HEIGHT = 150;
  const EDGE = { left: 46, right: 10, top: 8, bottom: 20 };
  const GROUPS = [
    ['learning', 'What it learns'],
    ['movement', 'How it moves'],
    ['other', 'Also measured'],
    ['cost', 'What a step costs'],
  ];
  const SHOWN_SAMPLES = 20;

  let data = given;
  /** The step under the pointer or the arrow keys, for all charts at once. */
  let cursor = null;
  const hidden = new Set();
  const charts = new Map();
  const byId = (id) => document.getElementById(id);
  const smoothing = byId('smoothing');
  const span = byId('span');
  const log = byId('log');
  const filter = byId('filter');

  /** The index of the point that holds `step`, or the last one before it. */
  function pointAt(run, step) {
    let low = 0;
    let high = run.from.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (run.from[middle] <= step) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  const place = (run, at) => (run.from[at] + run.to[at]) / 2;
  const visible = () => data.runs.map((run, index) => ({ run, index })).filter(({ run }) => !hidden.has(run.name));

  /** The steps that all charts show. */
  function range() {
    let last = 0;
    let first = Infinity;
    for (const { run } of visible()) {
      if (run.to.length === 0) continue;
      last = Math.max(last, run.to.at(-1));
      first = Math.min(first, run.from[0]);
    }
    if (!Number.isFinite(first)) first = 0;
    const from = last - (last - first) * Number(span.value);
    return { from, to: last > from ? last : from + 1 };
  }

  class Chart {
    constructor(name) {
      this.name = name;
      this.at = element('span', { class: 'at' });
      this.values = element('div', { class: 'values' });
      this.svg = shape('svg', { role: 'presentation' });
      this.note = element('p', { class: 'note', hidden: true });
      this.figure = element(
        'figure',
        { tabindex: '0' },
        element('figcaption', {}, element('h3', {}, title(name)), this.at),
        this.values,
        this.svg,
        this.note,
      );
      this.svg.addEventListener('pointermove', (event) => this.point(event));
      this.svg.addEventListener('pointerdown', (event) => this.point(event));
      this.svg.addEventListener('pointerleave', () => setCursor(null));
      this.figure.addEventListener('keydown', (event) => this.key(event));
      this.figure.addEventListener('focus', () => this.values.setAttribute('aria-live', 'polite'));
      this.figure.addEventListener('blur', () => {
        this.values.removeAttribute('aria-live');
        setCursor(null);
      });
      sizes.observe(this.figure);
    }

    lines() {
      return visible()
        .map(({ run, index }) => ({ run, index, curve: run.curves.find((curve) => curve.name === this.name) }))
        .filter(({ curve }) => curve !== undefined);
    }

    point(event) {
      if (!this.scale) return;
      const box = this.svg.getBoundingClientRect();
      const { from, to, width } = this.scale;
      const share = (event.clientX - box.left - EDGE.left) / width;
      setCursor(Math.round(from + Math.min(1, Math.max(0, share)) * (to - from)));
    }

    key(event) {
      const lines = this.lines();
      if (!lines.length || !this.scale || event.target !== this.figure) return;
      const { run } = lines.reduce((best, line) => (line.run.from.length > best.run.from.length ? line : best));
      const last = run.from.length - 1;
      const first = pointAt(run, Math.ceil(this.scale.from));
      const at = cursor === null ? last + 1 : pointAt(run, cursor);
      const leap = event.shiftKey ? 10 : 1;
      const target = { ArrowLeft: at - leap, ArrowRight: at + leap, Home: first, End: last }[event.key];
      if (event.key === 'Escape') setCursor(null);
      else if (target === undefined) return;
      else setCursor(Math.round(place(run, Math.min(last, Math.max(first, target)))));
      event.preventDefault();
    }

    draw() {
      const { from, to } = range();
      const outer = this.figure.clientWidth - parseFloat(getComputedStyle(this.figure).paddingLeft) * 2;
      const width = outer - EDGE.left - EDGE.right;
      if (!(width > 0)) return;
      const height = HEIGHT - EDGE.top - EDGE.bottom;
      const logarithmic = log.checked;
      const weight = Number(smoothing.value) / 100;
      let least = Infinity;
      let most = -Infinity;
      let omitted = 0;
      const lines = this.lines().map((line) => {
        const { run, curve } = line;
        const start = Math.max(0, pointAt(run, from) - 1);
        const smoothed = smooth(curve.mean, weight);
        for (let at = start; at < run.from.length; at += 1) {
          if (curve.mean[at] === null || run.to[at] < from) continue;
          const low = curve.least ? curve.least[at] : curve.mean[at];
          const high = curve.most ? curve.most[at] : curve.mean[at];
          if (logarithmic && low <= 0) omitted += 1;
          for (const value of [low, high, smoothed[at]]) {
            if (logarithmic && value <= 0) continue;
            least = Math.min(least, value);
            most = Math.max(most, value);
          }
        }
        return { ...line, start, smoothed };
      });
      const empty = least > most;
      if (empty) [least, most] = logarithmic ? [1, 10] : [0, 1];
      if (least === most) {
        if (logarithmic) [least, most] = [least / 2, most * 2];
        else {
          const margin = Math.abs(least) * 0.1 || 0.5;
          [least, most] = [least - margin, most + margin];
        }
      }
      const change = logarithmic ? Math.log10 : (value) => value;
      const bottom = change(least);
      const rise = change(most) - bottom;
      const x = (step) => EDGE.left + ((step - from) / (to - from)) * width;
      const y = (value) => EDGE.top + height - ((change(value) - bottom) / rise) * height;
      this.scale = { from, to, width, x, y, logarithmic };
      this.drawn = lines;

      const parts = [];
      for (const value of logarithmic ? powers(least, most) : ticks(least, most, 5)) {
        parts.push(shape('line', { class: 'rule', x1: EDGE.left, x2: EDGE.left + width, y1: y(value), y2: y(value) }));
        parts.push(shape('text', { x: EDGE.left - 6, y: y(value) + 4, 'text-anchor': 'end' }, short(value)));
      }
      for (const step of ticks(from, to, Math.max(2, Math.floor(width / 55)))) {
        if (step % 1 !== 0) continue;
        const anchor = x(step) > EDGE.left + width - 12 ? 'end' : 'middle';
        parts.push(shape('text', { x: x(step), y: HEIGHT - 4, 'text-anchor': anchor }, short(step)));
      }
      const clip = `clip-${[...charts.keys()].indexOf(this.name)}`;
      const mask = shape('clipPath', { id: clip });
      mask.append(shape('rect', { x: EDGE.left - 3, y: 0, width: width + 6, height: HEIGHT }));
      const inside = shape('g', { 'clip-path': `url(#${clip})` });
      const fits = (value) => value !== null && !(logarithmic && value <= 0);
      for (const { run, index, curve, start, smoothed } of lines) {
        const style = colour(index);
        const indices = [];
        for (let at = start; at < run.from.length; at += 1) if (fits(curve.mean[at])) indices.push(at);
        const path = (values, order = indices) =>
          order
            .filter((at) => fits(values[at]))
            .map((at) => `${x(place(run, at)).toFixed(1)} ${y(values[at]).toFixed(1)}`)
            .join('L');
        if (indices.length === 0) continue;
        if (curve.least) {
          const floor = curve.least.map((value) => (fits(value) ? value : least));
          const band = `M${path(curve.most)}L${path(floor, indices.toReversed())}Z`;
          inside.append(shape('path', { class: 'band', d: band, style }));
        }
        if (weight > 0) inside.append(shape('path', { class: 'raw', d: `M${path(curve.mean)}`, style }));
        const line = path(smoothed);
        if (line) inside.append(shape('path', { class: 'curve', d: `M${line}`, style }));
        // What is measured now and then shows where.
        if (indices.length <= 40) {
          for (const at of indices) {
            inside.append(shape('circle', { class: 'point', cx: x(place(run, at)), cy: y(curve.mean[at]), r: 2.5, style }));
          }
        }
      }
      this.marks = shape('g', {});
      inside.append(this.marks);
      this.svg.setAttribute('viewBox', `0 0 ${outer} ${HEIGHT}`);
      this.svg.replaceChildren(mask, ...parts, inside);
      this.note.hidden = omitted === 0;
      this.note.textContent = `${whole.format(omitted)} ${omitted === 1 ? 'point reaches' : 'points reach'} 0 or less, which a log scale cannot show.`;
      this.read();
    }

    /** Values at the cursor, or the last ones. */
    read() {
      if (!this.scale) return;
      const marks = [];
      const { x, y, from, to, logarithmic } = this.scale;
      const many = data.runs.length > 1;
      let shown = null;
      const spoken = [];
      const items = this.drawn.map(({ run, index, curve, smoothed }) => {
        let at = cursor === null ? run.from.length - 1 : pointAt(run, cursor);
        // A value measured now and then holds until the next one.
        while (at >= 0 && curve.mean[at] === null) at -= 1;
        const beyond = cursor !== null && (cursor > run.to.at(-1) || cursor < run.from[0]);
        if (at < 0 || beyond) return element('span', { style: colour(index) }, element('i', { class: 'dot' }), '–');
        shown = Math.max(shown ?? 0, run.to[at]);
        const wide = curve.least && curve.least[at] !== curve.most[at];
        const spread = wide ? `${number(curve.least[at])} to ${number(curve.most[at])}` : null;
        if (cursor !== null) {
          const value = smoothed[at];
          if (!(logarithmic && value <= 0)) {
            marks.push(shape('circle', { class: 'mark', cx: x(place(run, at)), cy: y(value), r: 4, style: colour(index) }));
          }
        }
        spoken.push(`${many ? `${run.name} ` : ''}${number(curve.mean[at])}`);
        return element(
          'span',
          { style: colour(index), title: run.name },
          element('i', { class: 'dot' }),
          element('b', {}, number(curve.mean[at])),
          spread && element('small', {}, spread),
        );
      });
      if (cursor !== null && cursor >= from && cursor <= to) {
        marks.unshift(
          shape('line', { class: 'hair', x1: x(cursor), x2: x(cursor), y1: EDGE.top, y2: HEIGHT - EDGE.bottom }),
        );
      }
      this.marks.replaceChildren(...marks);
      this.values.replaceChildren(...items);
      const step = cursor ?? shown;
      const when = cursor === null ? 'last, step' : 'step';
      this.at.textContent = step === null ? 'no value yet' : `${when} ${whole.format(step)}`;
      this.figure.setAttribute('aria-label', `${title(this.name)}, step ${step ?? 'none'}: ${spoken.join('; ') || 'no value'}`);
    }
  }

  let asked = false;
  function setCursor(step) {
    if (cursor === step) return;
    cursor = step;
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      for (const chart of charts.values()) chart.read();
    });
  }

  const sizes = new ResizeObserver((entries) => {
    const changed = new Set(entries.map((entry) => entry.target));
    for (const chart of charts.values()) if (changed.has(chart.figure)) chart.draw();
  });

  /** Charts of the curves that there are; those that are there already stay, and keep the focus. */
  function layCharts() {
    const wanted = filter.value.trim().toLowerCase();
    const names = new Map(GROUPS.map(([group]) => [group, []]));
    const known = new Set();
    for (const { curves } of data.runs) {
      for (const { name, group } of curves) {
        if (known.has(name)) continue;
        known.add(name);
        if (name.toLowerCase().includes(wanted) || title(name).includes(wanted)) names.get(group).push(name);
      }
    }
    const main = byId('charts');
    const laid = JSON.stringify([...names]);
    if (main.dataset.laid === laid) return;
    main.dataset.laid = laid;
    const focused = document.activeElement;
    const sections = [];
    const kept = new Set();
    for (const [group, heading] of GROUPS) {
      if (names.get(group).length === 0) continue;
      const grid = element('div', { class: 'grid' });
      for (const name of names.get(group)) {
        if (!charts.has(name)) charts.set(name, new Chart(name));
        kept.add(name);
        grid.append(charts.get(name).figure);
      }
      sections.push(element('section', { 'aria-label': heading }, element('h2', {}, heading), grid));
    }
    for (const [name, chart] of charts) {
      if (kept.has(name)) continue;
      sizes.unobserve(chart.figure);
      charts.delete(name);
    }
    const none = known.size === 0 ? 'No step has been written yet.' : 'No curve has that in its name.';
    main.replaceChildren(...(sections.length ? sections : [element('p', { class: 'note' }, none)]));
    if (focused instanceof HTMLElement && focused.isConnected) focused.focus({ preventScroll: true });
  }

  function layRuns() {
    const cards = data.runs.map((run, index) => {
      const check = element('input', { type: 'checkbox', checked: !hidden.has(run.name), 'data-run': run.name });
      check.addEventListener('change', () => {
        if (check.checked) hidden.delete(run.name);
        else hidden.add(run.name);
        drawAll();
        laySamples();
      });
      const many = data.runs.length > 1;
      const of = run.steps === null ? '' : ` of ${whole.format(run.steps)}`;
      const facts = [`step ${whole.format(run.done)}${of}`];
      if (run.seconds_per_step !== null) facts.push(`${number(run.seconds_per_step)} s a step`);
      if (run.seconds_left !== null && run.state === 'running') facts.push(`about ${duration(run.seconds_left)} left`);
      const oddities = [];
      if (run.unreadable) oddities.push(`${whole.format(run.unreadable)} lines could not be read`);
      if (run.rewinds) oddities.push(`went back to a checkpoint ${run.rewinds === 1 ? 'once' : `${run.rewinds} times`}`);
      return element(
        'article',
        { class: 'run', style: colour(index) },
        element(
          'label',
          {},
          many ? check : null,
          element('i', { class: 'dot' }),
          element('span', {}, run.name),
          element('span', { class: `state ${run.state}` }, run.kind ? `${run.kind}, ${run.state}` : run.state),
        ),
        run.steps === null
          ? null
          : element('progress', { max: run.steps, value: Math.min(run.done, run.steps), 'aria-label': `steps of ${run.name}` }),
        element('p', { class: 'facts' }, facts.join(' · ')),
        oddities.length ? element('p', { class: 'facts' }, oddities.join(' · ')) : null,
      );
    });
    const active = document.activeElement?.dataset?.run;
    byId('runs').replaceChildren(...cards);
    if (active) byId('runs').querySelector(`[data-run="${CSS.escape(active)}"]`)?.focus();
    const [first] = data.runs;
    const share = first.steps ? `${Math.floor((100 * Math.min(first.done, first.steps)) / first.steps)}% · ` : '';
    document.title = share + data.runs.map((run) => run.name).join(', ');
    byId('controls').hidden = data.runs.every((run) => run.curves.length === 0);
  }

  /** The number that a sample is ordered by. */
  function reward(sample) {
    for (const found of [sample.reward, sample.rewards]) {
      if (typeof found === 'number') return found;
      if (found && typeof found === 'object') {
        if (typeof found.total === 'number') return found.total;
        const parts = Object.values(found).filter((part) => typeof part === 'number');
        if (parts.length) return parts.reduce((sum, part) => sum + part, 0);
      }
    }
    return null;
  }

  const simple = (value) => value === null || typeof value !== 'object';

  /** Any value of a sample, as text alone. */
  function described(value) {
    if (typeof value === 'number') return document.createTextNode(number(value));
    if (simple(value)) return document.createTextNode(value === null ? '–' : String(value));
    if (Array.isArray(value) && value.every((item) => simple(item) && String(item).length < 40)) {
      return document.createTextNode(value.map((item) => (typeof item === 'number' ? number(item) : String(item))).join(', '));
    }
    const list = element('dl');
    for (const [key, item] of Object.entries(value)) {
      list.append(element('dt', {}, key.replaceAll('_', ' ')), element('dd', {}, described(item)));
    }
    return list;
  }

  const view = { order: 'newest', run: '', shown: SHOWN_SAMPLES };
  const open = new Set();
  const ORDERS = {
    newest: ['newest first', (a, b) => b.at - a.at],
    oldest: ['oldest first', (a, b) => a.at - b.at],
    best: ['highest reward first', (a, b) => (b.reward ?? -Infinity) - (a.reward ?? -Infinity)],
    worst: ['lowest reward first', (a, b) => (a.reward ?? Infinity) - (b.reward ?? Infinity)],
  };

  function choice(label, options, chosen, take) {
    const select = element('select');
    for (const [value, text] of options) select.append(element('option', { value, selected: value === chosen }, text));
    select.addEventListener('change', () => {
      take(select.value);
      laySamples(true);
      byId('samples').querySelector(`select[aria-label="${label}"]`)?.focus();
    });
    select.setAttribute('aria-label', label);
    return select;
  }

  let laidSamples = '';
  function laySamples(force = false) {
    const section = byId('samples');
    const shownRuns = visible();
    const state = JSON.stringify(shownRuns.map(({ run }) => [run.name, run.samples_seen, run.samples.length]));
    if (!force && state === laidSamples) return;
    laidSamples = state;
    const all = shownRuns.flatMap(({ run, index }) =>
      run.samples.map((sample, at) => ({
        sample,
        run,
        index,
        reward: reward(sample),
        at: (sample.step ?? 0) + at / (run.samples.length + 1),
        key: `${run.name}/${sample.step}/${JSON.stringify(sample).length}/${sample.id ?? at}`,
      })),
    );
    section.hidden = all.length === 0;
    if (all.length === 0) return;
    const chosen = all.filter(({ run }) => view.run === '' || run.name === view.run).sort(ORDERS[view.order][1]);
    const seen = shownRuns.reduce((sum, { run }) => sum + run.samples_seen, 0);
    const kept = seen > all.length ? `${whole.format(all.length)} of ${whole.format(seen)}, spread over the run` : `all ${whole.format(seen)}`;
    const bar = element('div', { class: 'bar' }, choice('Order', Object.entries(ORDERS).map(([key, [text]]) => [key, text]), view.order, (value) => { view.order = value; }));
    const withSamples = shownRuns.filter(({ run }) => run.samples.length);
    if (withSamples.length > 1) {
      const options = [['', 'all runs'], ...withSamples.map(({ run }) => [run.name, run.name])];
      bar.append(choice('Run', options, view.run, (value) => { view.run = value; }));
    }
    bar.append(element('span', { class: 'note' }, kept));
    const cards = chosen.slice(0, view.shown).map(({ sample, index, reward: value, key }) => {
      const gist = sample.principle ?? sample.prompt ?? sample.text ?? Object.values(sample).find((item) => typeof item === 'string') ?? '';
      const card = element(
        'details',
        { open: open.has(key), style: colour(index) },
        element(
          'summary',
          {},
          data.runs.length > 1 ? element('i', { class: 'dot' }) : null,
          element('span', { class: 'step' }, `step ${whole.format(sample.step ?? 0)}`),
          value === null ? null : element('span', { class: 'reward' }, `reward ${number(value)}`),
          element('span', { class: 'gist' }, String(gist)),
        ),
        described(Object.fromEntries(Object.entries(sample).filter(([name]) => name !== 'step'))),
      );
      card.addEventListener('toggle', () => (card.open ? open.add(key) : open.delete(key)));
      return card;
    });
    section.replaceChildren(element('h2', {}, 'Samples'), bar, ...cards);
    if (chosen.length > view.shown) {
      const more = element('button', { type: 'button' }, `${whole.format(chosen.length - view.shown)} more`);
      more.addEventListener('click', () => {
        view.shown += 5 * SHOWN_SAMPLES;
        laySamples(true);
      });
      section.append(more);
    }
  }

  function drawAll() {
    smoothing.nextElementSibling.textContent = (Number(smoothing.value) / 100).toFixed(2);
    for (const chart of charts.values()) chart.draw();
  }

  function show() {
    layRuns();
    layCharts();
    drawAll();
    laySamples();
  }

  const ended = () => data.runs.every((run) => run.state === 'stopped' || run.state === 'finished');
  const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString('en-GB');

  function say(trouble) {
    const written = `written ${clock(data.written)}`;
    if (trouble) byId('fresh').textContent = `${written}; ${trouble}`;
    else if (ended()) byId('fresh').textContent = `${written}; ${data.runs.length > 1 ? 'all runs have' : 'the run has'} ended`;
    else byId('fresh').textContent = `${written}; looks for news every ${data.every} s`;
  }

  /** Loads this file again, out of sight, for its data. */
  function lookAgain() {
    if (document.hidden) {
      document.addEventListener('visibilitychange', lookAgain, { once: true });
      return;
    }
    const address = new URL(location.href);
    address.hash = '';
    address.searchParams.set('at', Date.now());
    const frame = element('iframe', { src: address.href, hidden: true, 'aria-hidden': 'true', tabindex: '-1' });
    let timer = 0;
    const done = () => {
      clearTimeout(timer);
      window.removeEventListener('message', take);
      frame.remove();
      if (!ended()) setTimeout(lookAgain, data.every * 1000);
    };
    const take = (event) => {
      if (event.source !== frame.contentWindow || !event.data?.watch) return;
      const news = event.data.watch;
      if (JSON.stringify(news) !== JSON.stringify(data)) {
        data = news;
        show();
      }
      say();
      done();
    };
    timer = setTimeout(() => {
      say('it could not be read again, is it still there?');
      done();
    }, 10_000);
    window.addEventListener('message', take);
    document.body.append(frame);
  }

  smoothing.addEventListener('input', drawAll);
  log.addEventListener('change', drawAll);
  span.addEventListener('change', drawAll);
  filter.addEventListener('input', () => {
    layCharts();
    drawAll();
  });
  byId('controls').addEventListener('submit', (event) => event.preventDefault());
  show();
  say();
  if (!ended()) setTimeout(lookAgain, data.every * 1000);
})();
