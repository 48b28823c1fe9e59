// What a link holds: the view and everything in it, in the part of the address that no server sees.

export const VIEWS = ['judge', 'library', 'jobs'];

/** A sheet with nothing on it. */
export const blank = () => ({
  principle: '',
  versus: null,
  prompt: '',
  responses: [
    { name: 'a', text: '' },
    { name: 'b', text: '' },
  ],
  judged: false,
});

export const EXAMPLE = {
  principle: 'The fewer words, the better.',
  versus: 'The more numbers, the better.',
  prompt: 'How high is Mont Blanc?',
  responses: [
    { name: 'brief', text: 'About 4,806 metres.' },
    { name: 'chatty', text: 'Good question! It is the highest mountain of the Alps, and it is very high indeed.' },
    { name: 'thorough', text: 'It was 4,805.59 m in 2023 and 4,807.81 m in 2021: its cap of ice grows and melts.' },
  ],
  judged: true,
};

/** A link to a sheet. */
export function judgeLink(sheet) {
  const words = new URLSearchParams();
  if (sheet.principle) words.append('principle', sheet.principle);
  if (sheet.versus !== null) words.append('versus', sheet.versus);
  if (sheet.prompt) words.append('prompt', sheet.prompt);
  const written = sheet.responses.some(({ text }) => text !== '');
  for (const { name, text } of written ? sheet.responses : []) {
    words.append('name', name);
    words.append('text', text);
  }
  if (sheet.judged) words.append('judged', '1');
  return link('judge', words);
}

/** A link to the library, as it is filtered. */
export function libraryLink(filters) {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(filters)) if (value) words.append(name, value === true ? '1' : value);
  return link('library', words);
}

function link(view, words) {
  const text = words.toString();
  return text ? `#${view}?${text}` : `#${view}`;
}

/** What the address says: the view, the sheet of `judge`, the filters of `library`. Whatever it leaves out is blank. */
export function read(fragment) {
  const [name, text = ''] = fragment.replace(/^#/, '').split(/\?(.*)/s);
  const words = new URLSearchParams(text);
  const view = VIEWS.includes(name) ? name : 'judge';
  const sheet = blank();
  sheet.principle = words.get('principle') ?? '';
  sheet.versus = words.get('versus');
  sheet.prompt = words.get('prompt') ?? '';
  const texts = words.getAll('text');
  const names = words.getAll('name');
  if (texts.length > 0) sheet.responses = texts.map((each, at) => ({ name: names[at] ?? `${at + 1}`, text: each }));
  sheet.judged = words.get('judged') === '1';
  const filters = {
    find: words.get('find') ?? '',
    category: words.get('category') ?? '',
    kind: words.get('kind') ?? '',
    checkable: words.get('checkable') === '1',
  };
  return { view, sheet, filters, empty: text === '' };
}
