// The library: principles to begin with, filtered, each a link to judge by it.

import { after, byId, count, element } from './dom.js';
import { Refusal, ask } from './server.js';
import { judgeLink, libraryLink } from './state.js';

const KINDS = { single: 'one goal', prioritised: 'goals in an order', structured: 'rules for cases' };

/** The view; `moved` is called when its filters change, `sheet` gives what a principle would judge. */
export class Library {
  constructor(moved, sheet) {
    this.sheet = sheet;
    this.principles = null;
    const filtered = () => {
      this.list();
      moved(libraryLink(this.filters()));
    };
    byId('find').addEventListener('input', after(150, filtered));
    for (const id of ['category', 'kind', 'checkable']) byId(id).addEventListener('change', filtered);
    byId('filters').addEventListener('submit', (event) => event.preventDefault());
  }

  filters() {
    return {
      find: byId('find').value,
      category: byId('category').value,
      kind: byId('kind').value,
      checkable: byId('checkable').checked,
    };
  }

  async show(filters) {
    byId('find').value = filters.find;
    byId('checkable').checked = filters.checkable;
    try {
      this.principles ??= (await ask('v1/principles')).json.principles;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      byId('found').textContent = error.message;
      return;
    }
    this.choices('category', (value) => value);
    this.choices('kind', (value) => KINDS[value] ?? value);
    byId('category').value = filters.category;
    byId('kind').value = filters.kind;
    this.list();
  }

  /** Fills a list of choices with what there is. */
  choices(id, name) {
    const select = byId(id);
    if (select.options.length > 1) return;
    const values = [...new Set(this.principles.map((principle) => principle[id]))];
    select.append(...values.map((value) => element('option', { value }, name(value))));
  }

  list() {
    if (this.principles === null) return;
    const { find, category, kind, checkable } = this.filters();
    const words = find.toLowerCase().split(/\s+/).filter(Boolean);
    const fitting = this.principles.filter((principle) => {
      const text = `${principle.id} ${principle.text}`.toLowerCase();
      return (
        words.every((word) => text.includes(word)) &&
        (category === '' || principle.category === category) &&
        (kind === '' || principle.kind === kind) &&
        (!checkable || principle.check !== null)
      );
    });
    byId('found').textContent = `${count(fitting.length, 'principle')} of ${this.principles.length}`;
    const sheet = this.sheet();
    byId('principles').replaceChildren(...fitting.map((principle) => entry(principle, sheet)));
  }
}

function entry({ id, category, kind, text, check, held_out: heldOut }, sheet) {
  const told = [category, KINDS[kind] ?? kind];
  if (check !== null) told.push(`a program checks: ${check}`);
  if (heldOut) told.push('kept out of training');
  const by = { ...sheet, principle: text, judged: false };
  const against = { ...sheet, versus: text, judged: false };
  return element(
    'li',
    {},
    element('h2', { class: 'id' }, id),
    element('p', {}, text),
    element('p', { class: 'note' }, told.join(' · ')),
    element(
      'p',
      { class: 'links' },
      element('a', { href: judgeLink(by), 'aria-label': `Judge by it: ${id}` }, 'Judge by it'),
      sheet.principle.trim()
        ? element('a', { href: judgeLink(against), 'aria-label': `Compare with it: ${id}` }, 'Compare with it')
        : null,
    ),
  );
}
