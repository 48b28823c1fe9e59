'use strict';
// Elements, numbers for people, and the arithmetic of axes: what the page is drawn with, without any state.

const SVG = 'http://www.w3.org/2000/svg';

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value === true ? '' : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function shape(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

const whole = new Intl.NumberFormat('en-GB');

function number(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) return value.toExponential(2);
  if (size >= 1000) return whole.format(Math.round(value));
  return String(Number(value.toPrecision(4)));
}

function short(value) {
  const size = Math.abs(value);
  if (size >= 1e9 || (size !== 0 && size < 1e-3)) return value.toExponential(0);
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (size >= 1e4) return `${Number((value / 1e3).toPrecision(3))}k`;
  return String(Number(value.toPrecision(3)));
}

function duration(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.round(hours / 24)} days`;
}

const title = (name) => name.replaceAll('_', ' ').replaceAll('.', ' · ');
const colour = (index) => `--colour: var(--c${index % 8})`;

/** Exponential means, corrected for their start; gaps stay gaps. */
function smooth(values, weight) {
  if (weight === 0) return values;
  let sum = 0;
  let share = 0;
  return values.map((value) => {
    if (value === null) return null;
    sum = weight * sum + (1 - weight) * value;
    share = weight * share + (1 - weight);
    return sum / share;
  });
}

/** Round numbers between two limits, about `count` of them. */
function ticks(least, most, count) {
  const rough = (most - least) / count;
  if (!(rough > 0)) return [least];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999);
  const found = [];
  for (let at = Math.ceil(least / step - 1e-9); at * step <= most + step * 1e-9; at += 1) found.push(at * step);
  return found;
}

function powers(least, most) {
  // Within a decade or so, round steps say more than powers.
  if (most < least * 20) return ticks(least, most, 4).filter((value) => value > 0);
  const found = [];
  const low = Math.floor(Math.log10(least));
  const high = Math.ceil(Math.log10(most));
  const factors = high - low <= 2 ? [1, 2, 5] : [1];
  const stride = Math.max(1, Math.ceil((high - low) / 5));
  for (let at = low; at <= high; at += stride) {
    for (const factor of factors) {
      const value = factor * 10 ** at;
      if (value >= least * 0.999 && value <= most * 1.001) found.push(value);
    }
  }
  return found.length ? found : [least];
}
