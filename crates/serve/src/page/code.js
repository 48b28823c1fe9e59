// A sheet as other programs say it: the link, curl, Python. Every text is quoted for where it goes.

import { token } from './server.js';
import { judgeLink } from './state.js';

const TOKEN = 'REWARDANYTHING_SERVER_TOKEN';

/** The items of a sheet, one for each principle. Responses are a list: an object would sort names that are numbers. */
export function items(sheet) {
  const principles = sheet.versus === null ? [sheet.principle] : [sheet.principle, sheet.versus];
  return principles.map((principle) => ({ principle, prompt: sheet.prompt, responses: sheet.responses }));
}

/** A link to a sheet with its verdicts. */
export const asLink = (sheet) => new URL(judgeLink({ ...sheet, judged: true }), location.href).href;

const shellText = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** A command for each principle. */
export function asCurl(sheet) {
  const url = new URL('v1/judge', location.href).href;
  const door = token() === null ? '' : ` -H "authorization: Bearer $${TOKEN}"`;
  return items(sheet)
    .map((item) => `curl -s ${shellText(url)} -H 'content-type: application/json'${door} \\\n  -d ${shellText(JSON.stringify(item))}\n`)
    .join('');
}

// A text of JSON is one of Python too.
const pythonText = (text) => JSON.stringify(text);

/** A program with the package of this project. */
export function asPython(sheet) {
  const door = token() === null ? '' : `, api_key=os.environ["${TOKEN}"]`;
  const url = new URL('.', location.href).href.replace(/\/$/, '');
  const responses = sheet.responses.map(({ name, text }) => `    ${pythonText(name)}: ${pythonText(text)},\n`).join('');
  const principles = items(sheet).map(({ principle }) => `    ${pythonText(principle)},\n`).join('');
  return (
    `${door ? 'import os\n\n' : ''}from rewardanything import Client\n\n` +
    `client = Client(${pythonText(url)}${door})\n` +
    `principles = [\n${principles}]\n` +
    `prompt = ${pythonText(sheet.prompt)}\n` +
    `responses = {\n${responses}}\n` +
    'for principle in principles:\n' +
    '    result = client.judge(principle, prompt, responses)\n' +
    '    print(principle, result.ranking, result.scores, result.reasoning, sep="\\n")\n'
  );
}
