'use strict';
// What the parts are called, what they must reach, and their plots.

const { grouped } = require('../lib/figures');
const { coursePlot } = require('../lib/plot');

const blue = '#1f6feb';

const isHeld = part => part.kind === 'xid';

function title(part) {
  if (isHeld(part)) return 'a transaction with an id held open';
  return `${grouped(part.messages)} ${part.kind === 'backlog' ? 'waiting' : 'delayed'} messages, batch ${part.batch}`;
}

// [what, target as text, measured, reached].
function targets(part) {
  const { result } = part;
  if (!isHeld(part)) return [['claim p99, with against without', 'at most 1.25', result.ratio_p99, result.ratio_p99 <= 1.25]];
  return [
    ['rate, end against beginning', 'at least 0.95', result.ratio, result.ratio >= 0.95],
    ['claim p99, end against beginning', 'at most 2', result.claim_p99_ratio, result.claim_p99_ratio <= 2],
  ];
}

const course = (part, figure) => part.result.windows.map(window => [window.until_second, window[figure]]);

const ratePlot = part => coursePlot('Rate while a transaction is held open', 'messages finished a second',
  [{ label: part.kind, colour: blue, points: course(part, 'finished_per_second') }], grouped);

const claimPlot = part => coursePlot(`A claim with ${title(part)}`, `milliseconds of a claim of ${part.batch}`, [
  { label: 'p99', colour: blue, points: course(part, 'claim_p99_ms') },
  { label: 'p50', colour: blue, dashed: true, points: course(part, 'claim_p50_ms') },
], String);

// Names and texts of all plots.
const plots = parts => parts.filter(isHeld)
  .flatMap(part => [['rate.svg', ratePlot(part)], [`claim-${part.name}.svg`, claimPlot(part)]]);

module.exports = { isHeld, plots, targets, title };
