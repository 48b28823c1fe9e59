// Verdicts: who ranks where, how sure the judge was, why, and which pairs another principle turns round.

import { count, element, number } from './dom.js';

/**
 * Pairs that two records order in opposite ways: `[first, second]`, the first above the second in `one` and below it in
 * `other`. What either leaves equal is no order.
 */
export function flips(one, other, names) {
  const found = [];
  for (const first of names) {
    for (const second of names) {
      if (one.scores[first] > one.scores[second] && other.scores[first] < other.scores[second]) found.push([first, second]);
    }
  }
  return found;
}

/** How many pairs both records order. */
export function ordered(one, other, names) {
  let n = 0;
  names.forEach((first, at) => {
    for (const second of names.slice(at + 1)) {
      if (one.scores[first] !== one.scores[second] && other.scores[first] !== other.scores[second]) n += 1;
    }
  });
  return n;
}

/** A record as a card. `turned` are the names in a flipped pair, `before` the ranking of the principle it is compared with. */
export function card(record, { principle, texts, other = false, turned = new Set(), before = null }) {
  const whole = element('article', { class: other ? 'verdict other' : 'verdict' }, element('h2', {}, principle));
  if (record.error) {
    whole.append(element('p', { class: 'fault', role: 'alert' }, `No verdict: ${record.error.message} (${record.error.kind})`));
    return whole;
  }
  const list = element('ol', { class: 'ranking' });
  record.ranking.forEach((name, at) => list.append(row(record, name, at, { texts, turned, before })));
  whole.append(list);
  if (record.reasoning.trim()) {
    whole.append(
      element('section', { class: 'reasoning' }, element('h3', {}, 'Reasoning'), element('p', {}, record.reasoning.trim())),
    );
  }
  whole.append(element('p', { class: 'note' }, facts(record)));
  return whole;
}

function row(record, name, at, { texts, turned, before }) {
  const score = record.scores[name];
  const soft = record.soft?.[name];
  const flipped = turned.has(name);
  const moved = before === null ? 0 : before.indexOf(name) - at;
  const bar = element('i', {});
  bar.style.width = `${Math.max(0, ((soft?.mean ?? score) - 1) / 4) * 100}%`;
  return element(
    'li',
    { class: flipped ? 'flipped' : null },
    element('span', { class: 'place' }, `${at + 1}`),
    element(
      'div',
      {},
      element('div', { class: 'who' }, name, moved === 0 ? null : element('span', { class: 'turn' }, move(moved))),
      element('p', { class: 'gist' }, texts.get(name) ?? ''),
      element('div', { class: 'bar', 'aria-hidden': 'true' }, bar),
    ),
    element(
      'div',
      { class: 'score' },
      element('b', {}, number(score)),
      soft ? element('small', { title: 'The mean of the probabilities below' }, `mean ${soft.mean.toFixed(2)}`) : null,
      soft ? chances(soft.probabilities) : null,
    ),
  );
}

const move = (places) => `${places > 0 ? '▲' : '▼'} ${count(Math.abs(places), 'place')} ${places > 0 ? 'up' : 'down'}`;

/** The probabilities of the scores 1 to 5, as columns and as words. */
function chances(probabilities) {
  const columns = probabilities.map((chance, at) => {
    const column = element('dd', {}, element('span', {}, `${(chance * 100).toFixed(1)}%`));
    column.style.height = `${Math.max(0, Math.min(1, chance)) * 100}%`;
    return element('div', { title: `score ${at + 1}: ${(chance * 100).toFixed(1)}%` }, element('dt', {}, `${at + 1}`), column);
  });
  return element('dl', { class: 'chances', 'aria-label': 'How likely the judge found each score' }, ...columns);
}

function facts(record) {
  const parts = [
    record.model,
    `${number(record.seconds)} s`,
    `${count(record.usage.prompt_tokens, 'token')} read, ${number(record.usage.completion_tokens)} written`,
  ];
  if (record.repairs.length > 0) parts.push(`${count(record.repairs.length, 'repair')} to the reply`);
  if (record.votes) parts.push(`${record.votes.answered} of ${count(record.votes.asked, 'run')} gave a verdict`);
  return parts.join(' · ');
}

/** What another principle turns round, in words. */
export function flipped(one, other, names) {
  const pairs = flips(one, other, names);
  const all = ordered(one, other, names);
  const title = element('h2', { id: 'flips-title' }, 'What flips');
  const share = `${number(pairs.length)} of the ${count(all, 'pair')} that both principles put in an order`;
  const says = pairs.length === 0 ? `Nothing: ${share}.` : `${share}:`;
  const list = pairs.map(([first, second]) =>
    element(
      'li',
      {},
      element('b', {}, first),
      ` beats `,
      element('b', {}, second),
      ` ${number(one.scores[first])} to ${number(one.scores[second])} by the first principle, and loses ` +
        `${number(other.scores[first])} to ${number(other.scores[second])} by the other.`,
    ),
  );
  return [title, element('p', {}, says), ...(list.length > 0 ? [element('ul', {}, ...list)] : [])];
}
