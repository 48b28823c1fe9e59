// The form: principles, the prompt, responses, and what lint says while a principle is typed.

import { after, byId, element } from './dom.js';
import { Refusal, ask } from './server.js';

const LINT_AFTER_MS = 250;
const PRINCIPLES = ['principle', 'versus'];

/** The form over a sheet; `changed` is called after each change of the reader's, `sent` when he wants verdicts. */
export class Form {
  constructor(changed, sent) {
    this.changed = changed;
    this.lints = new Map(PRINCIPLES.map((id) => [id, new Lint(byId(id), byId(`${id}-lint`))]));
    for (const id of [...PRINCIPLES, 'prompt']) byId(id).addEventListener('input', () => this.edited());
    byId('compare').addEventListener('click', () => this.compare(byId('versus-field').hidden));
    byId('add').addEventListener('click', () => {
      this.add({ name: this.freeName(), text: '' });
      byId('responses').lastElementChild.querySelector('textarea').focus();
      this.edited();
    });
    byId('clear').addEventListener('click', () => {
      this.show({ principle: '', versus: null, prompt: '', responses: [{ name: 'a', text: '' }, { name: 'b', text: '' }] });
      this.edited();
      byId('principle').focus();
    });
    byId('form').addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.fits()) sent();
    });
    byId('form').addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) byId('form').requestSubmit();
    });
  }

  edited() {
    byId('form-fault').textContent = '';
    for (const lint of this.lints.values()) lint.look();
    this.changed();
  }

  /** Writes a sheet into the form. */
  show(sheet) {
    byId('principle').value = sheet.principle;
    byId('versus').value = sheet.versus ?? '';
    byId('prompt').value = sheet.prompt;
    byId('responses').replaceChildren();
    for (const response of sheet.responses) this.add(response);
    this.unfold(sheet.versus !== null);
    byId('form-fault').textContent = '';
    for (const lint of this.lints.values()) lint.look();
  }

  /** The sheet that the form holds. */
  read() {
    return {
      principle: byId('principle').value,
      versus: byId('versus-field').hidden ? null : byId('versus').value,
      prompt: byId('prompt').value,
      responses: [...byId('responses').children].map((row) => ({
        name: row.querySelector('.name').value,
        text: row.querySelector('textarea').value,
      })),
    };
  }

  compare(wanted) {
    this.unfold(wanted);
    this.edited();
    if (wanted) byId('versus').focus();
  }

  unfold(wanted) {
    byId('versus-field').hidden = !wanted;
    byId('compare').setAttribute('aria-expanded', wanted);
    byId('compare').textContent = wanted ? 'Judge by one principle alone' : 'Compare with another principle';
  }

  add({ name, text }) {
    const title = element('input', { class: 'name', 'aria-label': 'Name of the response', autocomplete: 'off', spellcheck: 'false' });
    title.value = name;
    const box = element('textarea', { rows: '2', 'aria-label': `Response ${name}` });
    box.value = text;
    const remove = element('button', { type: 'button', 'aria-label': `Remove ${name}` }, 'Remove');
    const row = element('li', {}, element('div', { class: 'head' }, title, remove), box);
    title.addEventListener('input', () => {
      box.setAttribute('aria-label', `Response ${title.value}`);
      remove.setAttribute('aria-label', `Remove ${title.value}`);
      this.edited();
    });
    box.addEventListener('input', () => this.edited());
    remove.addEventListener('click', () => {
      const next = row.nextElementSibling ?? row.previousElementSibling;
      row.remove();
      (next?.querySelector('button') ?? byId('add')).focus();
      this.edited();
    });
    byId('responses').append(row);
  }

  /** The first of a, b, … that no response is called. */
  freeName() {
    const taken = new Set(this.read().responses.map(({ name }) => name));
    for (let at = 0; ; at += 1) {
      const name = at < 26 ? String.fromCharCode(97 + at) : `${at + 1}`;
      if (!taken.has(name)) return name;
    }
  }

  /** Whether the sheet can be judged; otherwise says what is missing, and goes there. */
  fits() {
    const sheet = this.read();
    const rows = [...byId('responses').children];
    const names = sheet.responses.map(({ name }) => name);
    const twice = names.findIndex((name, at) => names.indexOf(name) !== at);
    const wrong = (message, field) => {
      byId('form-fault').textContent = message;
      (field ?? byId('add')).focus();
      return false;
    };
    if (!sheet.principle.trim()) return wrong('A principle is missing: what counts?', byId('principle'));
    if (sheet.versus !== null && !sheet.versus.trim()) return wrong('The other principle is missing.', byId('versus'));
    if (!sheet.prompt.trim()) return wrong('A prompt is missing: what do the responses answer?', byId('prompt'));
    if (rows.length === 0) return wrong('Responses are missing.', null);
    if (twice >= 0) return wrong(`Two responses are called “${names[twice]}”.`, rows[twice].querySelector('.name'));
    const nameless = names.findIndex((name) => !name.trim());
    if (nameless >= 0) return wrong('A response has no name.', rows[nameless].querySelector('.name'));
    byId('form-fault').textContent = '';
    return true;
  }
}

/** What lint says of the principle in one field. */
class Lint {
  constructor(field, list) {
    this.field = field;
    this.list = list;
    this.asked = '';
    this.running = null;
    this.look = after(LINT_AFTER_MS, () => this.now());
  }

  async now() {
    const principle = this.field.value;
    if (principle === this.asked) return;
    this.asked = principle;
    this.running?.abort();
    if (!principle.trim()) {
      this.list.replaceChildren();
      return;
    }
    this.running = new AbortController();
    try {
      const { json } = await ask('v1/lint', JSON.stringify({ principle }), this.running.signal);
      this.list.replaceChildren(...json.findings.map(found));
    } catch (error) {
      if (error.name === 'AbortError') return;
      if (!(error instanceof Refusal)) throw error;
      // A helper that is away is no reason to trouble the writer; judging will say what is wrong.
      this.list.replaceChildren();
      this.asked = '';
    }
  }
}

const FAULTS = {
  vague: 'Vague',
  no_priority: 'No order',
  contradiction: 'Contradiction',
  unrelated_goals: 'Unrelated goals',
  unseen_facts: 'Unseen facts',
  relative_term: 'Relative term',
  weights: 'Shares',
};

function found({ fault, evidence, reason, better }) {
  const words = evidence.flatMap(({ text }, at) => [at > 0 ? ', ' : '', element('mark', {}, text)]);
  return element(
    'div',
    { class: 'remark' },
    element('p', {}, element('b', {}, FAULTS[fault] ?? fault), ': ', ...words),
    element('p', {}, reason),
    element('p', { class: 'better' }, better),
  );
}
