// The page: which view is shown, what the address holds, and judging.

import { asCurl, asLink, asPython, items } from './code.js';
import { after, byId, copy } from './dom.js';
import { Form } from './form.js';
import { Jobs } from './jobs.js';
import { Library } from './library.js';
import { Refusal, ask, token } from './server.js';
import { EXAMPLE, VIEWS, judgeLink, libraryLink, read } from './state.js';
import { card, flipped, flips } from './verdict.js';

const NAMES = { judge: 'Judge', library: 'Library', jobs: 'Jobs' };

/** What was judged last: the sheet, the answers, and their texts. */
let judged = null;
let running = null;

const form = new Form(() => changed(), () => judge(true));
const library = new Library((link) => replace(link), () => ({ ...form.read(), judged: false }));
const jobs = new Jobs();

/** The sheet with whether its verdicts are shown. */
const sheet = () => ({ ...form.read(), judged: judged !== null && same(judged.sheet, form.read()) });
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

function replace(link) {
  if (link !== location.hash) history.replaceState(null, '', link);
}

const write = after(300, () => {
  if (current() === 'judge') replace(judgeLink(sheet()));
});

/** After the reader has changed the form. */
function changed() {
  stale();
  links();
  write();
}

function stale() {
  const old = judged !== null && !same(judged.sheet, form.read());
  byId('verdicts').classList.toggle('stale', old);
  byId('flips').classList.toggle('stale', old);
  if (old && running === null) byId('state').textContent = 'These verdicts are of the form as it was before.';
  else if (judged !== null && running === null) byId('state').textContent = 'Judged.';
}

/** Links that carry the sheet along. */
function links() {
  byId('to-judge').setAttribute('href', judgeLink(sheet()));
}

const current = () => VIEWS.find((name) => !byId(name).hidden);

/** Shows what the address says. */
async function go(first) {
  const { view, sheet: asked, filters, empty } = read(location.hash);
  const moved = current() !== view;
  for (const name of VIEWS) {
    byId(name).hidden = name !== view;
    if (name === view) byId(`to-${name}`).setAttribute('aria-current', 'page');
    else byId(`to-${name}`).removeAttribute('aria-current');
  }
  document.title = `${NAMES[view]} · RewardAnything`;
  if (moved && !first) byId('view').focus();
  if (view !== 'jobs') jobs.hide();
  if (view === 'library') await library.show(filters);
  if (view === 'jobs') await jobs.show();
  if (view !== 'judge') return;
  // The bare address of the view shows the form as it is.
  const written = { ...asked };
  delete written.judged;
  if (!empty && !same(written, form.read())) form.show(asked);
  links();
  if (asked.judged && !(judged !== null && same(judged.sheet, form.read()))) await judge(false);
  else stale();
}

/** Judges the form; `remember` makes it a place to come back to. */
async function judge(remember) {
  running?.abort();
  const mine = new AbortController();
  running = mine;
  const asked = form.read();
  byId('state').textContent = 'Judging …';
  byId('results').setAttribute('aria-busy', 'true');
  try {
    const answers = await Promise.all(
      items(asked).map((item) => ask('v1/judge', JSON.stringify(item), mine.signal)),
    );
    judged = { sheet: asked, records: answers.map(({ json }) => json), texts: answers.map(({ text }) => text.trim()) };
    running = null;
    show();
    // On a phone the verdicts lie far below the button.
    if (remember && byId('results').getBoundingClientRect().top > innerHeight * 0.8) byId('results').scrollIntoView();
    const link = judgeLink(sheet());
    if (current() === 'judge' && link !== location.hash) {
      if (remember) history.pushState(null, '', link);
      else history.replaceState(null, '', link);
    }
  } catch (error) {
    if (error.name === 'AbortError') return;
    if (!(error instanceof Refusal)) throw error;
    running = null;
    byId('state').textContent = '';
    byId('form-fault').textContent = error.message;
  } finally {
    if (running === null) byId('results').removeAttribute('aria-busy');
  }
}

/** Shows the verdicts. */
function show() {
  const { sheet: asked, records } = judged;
  const texts = new Map(asked.responses.map(({ name, text }) => [name, text]));
  const names = [...texts.keys()];
  const [one, other] = records;
  const both = other !== undefined && one.error === null && other.error === null;
  const turned = new Set(both ? flips(one, other, names).flat() : []);
  const cards = records.map((record, at) =>
    card(record, {
      principle: at === 0 ? asked.principle : asked.versus,
      texts,
      other: at === 1,
      turned,
      before: both && at === 1 ? one.ranking : null,
    }),
  );
  byId('empty').hidden = true;
  byId('verdicts').className = records.length > 1 ? 'two' : '';
  byId('verdicts').replaceChildren(...cards);
  byId('flips').hidden = !both;
  byId('flips').replaceChildren(...(both ? flipped(one, other, names) : []));
  byId('take').hidden = false;
  byId('code').hidden = true;
  byId('taken').textContent = '';
  const failed = records.filter((record) => record.error !== null).length;
  byId('state').textContent = failed === 0 ? 'Judged.' : 'There is not every verdict.';
  stale();
  links();
}

const FORMS = {
  link: ['The link', () => asLink(judged.sheet)],
  json: ['The JSON', () => (judged.texts.length > 1 ? `[${judged.texts.join(',\n')}]` : judged.texts[0])],
  curl: ['The command', () => asCurl(judged.sheet)],
  python: ['The program', () => asPython(judged.sheet)],
};

for (const button of byId('take').querySelectorAll('button')) {
  button.addEventListener('click', async () => {
    const [name, text] = FORMS[button.dataset.form];
    const code = byId('code');
    code.textContent = text();
    code.hidden = false;
    byId('taken').textContent = (await copy(code.textContent))
      ? `${name} is on the clipboard.`
      : `${name} is below; the browser did not let it be copied.`;
  });
}

byId('example').setAttribute('href', judgeLink(EXAMPLE));
for (const id of ['pick-principle', 'pick-versus']) byId(id).setAttribute('href', libraryLink({}));
byId('skip').addEventListener('click', (event) => {
  // The address says which view is shown: it is not to be overwritten.
  event.preventDefault();
  byId('view').focus();
});
byId('to-runs').hidden = document.documentElement.dataset.runs !== 'yes';
byId('to-runs').addEventListener('click', () => {
  // Another page, to which the browser sends no header: it takes the token along, once it is asked for.
  const own = token();
  if (own !== null) byId('to-runs').setAttribute('href', `runs?token=${encodeURIComponent(own)}`);
});
addEventListener('hashchange', () => go(false));

async function hello() {
  try {
    const { json } = await ask('v1/models');
    const model = json.data[0].id;
    byId('model').textContent = `judged by ${model}`;
    byId('limits').hidden = model !== 'nano';
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    byId('model').textContent = error.message;
  }
}

form.show(read('').sheet);
hello();
go(true);
