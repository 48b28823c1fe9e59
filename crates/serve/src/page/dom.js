// Elements and texts. Texts are only ever set as text: what a model or a link says is data, never markup.

export const byId = (id) => document.getElementById(id);

/** An element; `null` among its children is none. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    made.setAttribute(key, value === true ? '' : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A number as people read it, to at most two places. */
export const number = (value) => new Intl.NumberFormat('en', { maximumFractionDigits: 2 }).format(value);

/** `1 pair`, `3 pairs`. */
export const count = (n, one, many = `${one}s`) => `${number(n)} ${n === 1 ? one : many}`;

/** Calls `work` once nothing has called it for `ms`. */
export function after(ms, work) {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...given), ms);
  };
}

/** Puts a text on the clipboard; false where the browser does not let it. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without TLS there is no such clipboard, except on this machine.
    const box = element('textarea', { class: 'skip', 'aria-hidden': 'true' });
    box.value = text;
    document.body.append(box);
    const before = document.activeElement;
    box.select();
    const done = document.execCommand('copy');
    box.remove();
    before?.focus();
    return done;
  }
}
