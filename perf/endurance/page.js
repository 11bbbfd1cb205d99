'use strict';
// Writes docs/soak.md and its plots: `node page.js FILE DOCS`.

const driver = require('../lib/driver');
const { grouped, lines, percent } = require('../lib/figures');
const { machineSection } = require('../lib/machine');
const { isHeld, plots, targets, title } = require('./plots');

const number = value => (Number.isFinite(value) ? value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2) : 'none');
const capital = text => text[0].toUpperCase() + text.slice(1);
const runDefaults = { seconds: 600, rate: 25000, backlog: 10000000, delayed: 1000000, claims: 10000 };

// The options that this run was given.
function given(report) {
  const options = Object.keys(runDefaults).filter(name => report.numbers[name] !== runDefaults[name])
    .map(name => ` --${name} ${report.numbers[name]}`);
  const kinds = [...new Set(report.parts.map(part => part.kind))].join(',');
  if (kinds !== 'xid,backlog,delayed') options.push(` --parts ${kinds}`);
  return options.join('');
}

function opening(report) {
  return `# Over time

<!-- Written by perf/soak; change that, not this page. -->

What a claim costs with many messages in the queue, and how a queue holds its rate for minutes while somebody keeps a
transaction open, so that no dead row can be removed. One run on one machine, ${report.date}, ${Math.ceil(report.seconds / 60)} minutes.
Everything is durable when it is acknowledged. Payloads are JSON of 100 bytes, and jobs do nothing. All of it again, on your
machine:

\`\`\`sh
perf/soak${given(report)}
\`\`\``;
}

function summary(report) {
  const rows = report.parts.flatMap(part => targets(part).map(([what, target, measured, reached]) =>
    [title(part), what, target, number(measured), reached ? 'yes' : '**no**']));
  return lines(['', 'ratio', 'target', 'measured', 'reached'], rows, true);
}

// Said before the first table if it matters.
function warning(report) {
  const noisy = report.parts.filter(part => part.others_cpu_share > 0.2);
  if (noisy.length === 0) return '';
  return `**Noise.** Other programs had more than 20 % of the processors during these, so heights are too low or too long there, ` +
    `and a p99 says as much of them as of pgqrs: ${noisy.map(part =>
      `${part.name} (${percent(part.others_cpu_share)})`).join(', ')}.`;
}

function twins(parts) {
  if (parts.length === 0) return '';
  const rows = parts.flatMap(part => [['with', 'with them'], ['without', 'on the empty twin']].map(([side, said]) => {
    const figures = part.result[side];
    return [`${title(part)}: ${said}`, number(figures.claim_p50_ms), number(figures.claim_p99_ms),
      number(figures.claim_longest_ms), grouped(figures.claims)];
  }));
  return `## Many messages in the queue

Two queues on one server; one of them holds waiting messages, or messages due in an hour. One thread enqueues a batch
into one, claims a batch and deletes it, then does the same with the other: one queue is empty before each enqueue, the other
has as many as at the beginning. So both meet the same moments of the machine. Milliseconds of a claim:

${lines(['', 'p50', 'p99', 'longest', 'claims'], rows)}`;
}

function heldRows(part) {
  const { result } = part;
  return [['first', 'beginning'], ['last', 'end']].map(([name, said]) =>
    [`${title(part)}: ${said}`, grouped(result[name].finished_per_second), number(result[name].claim_p50_ms),
      number(result[name].claim_p99_ms), number(result[name].claim_longest_ms), grouped(result[name].claims)]);
}

// A stall hides in a mean: said apart.
function worstSecond({ kind, result }) {
  const rates = result.finished_per_second;
  const least = Math.min(...rates);
  return `- Fewest in one second (${kind}): ${grouped(least)}, in second ${rates.indexOf(least) + 1}; longest claim of all: ` +
    `${number(Math.max(...result.windows.map(window => window.claim_longest_ms)))} ms, of one that found nothing: ` +
    `${number(result.empty_claim_longest_ms)} ms.`;
}

function held(parts, numbers) {
  if (parts.length === 0) return '';
  const { compared_seconds: compared, window_seconds: window } = parts[0].result;
  const spent = parts.map(({ kind, result }) => [kind, grouped(result.finished), grouped(result.skipped),
    grouped(result.dead_rows), `${grouped(result.table_bytes / 2 ** 20)} MiB`,
    `${grouped(result.index_bytes / 2 ** 20)} MiB`, number(result.hot_updates / result.updates), grouped(result.wal_bytes_per_job)]);
  return `## A transaction held open

${grouped(numbers.rate)} messages a second for ${grouped(numbers.seconds)} seconds, enqueued, claimed and deleted by 100. The
beginning and the end are ${compared} seconds each; a point of a plot is ${window} s. Milliseconds of a claim:

${lines(['', 'finished a second', 'claim p50', 'claim p99', 'longest', 'claims'], parts.flatMap(heldRows))}

${parts.map(worstSecond).join('\n')}

![Rate](soak/rate.svg)

${parts.map(part => `![${capital(title(part))}](soak/claim-${part.name}.svg)`).join('\n\n')}

What was there at the end, while the transaction was still open. Skipped are messages that could not be sent in time:

${lines(['', 'finished', 'skipped', 'dead rows', 'table', 'index', 'HOT updates', 'bytes of log a job'], spent)}`;
}

function circumstances(report) {
  const commands = report.parts.map(part =>
    [`\`${part.command}\``, grouped(part.seconds), percent(part.others_cpu_share), part.result.complete ? 'yes' : '**no**']);
  return `${machineSection(report)}

## Commands

Complete: every id came out exactly once, nothing is left that should not be. Others: the share of the processors that went
to programs which have nothing to do with this; the kernel's own work is in it.

${lines(['command', 'seconds', 'others', 'complete'], commands)}`;
}

function page(report) {
  return `${[opening(report), warning(report), summary(report), twins(report.parts.filter(part => !isHeld(part))),
    held(report.parts.filter(isHeld), report.numbers), circumstances(report)].filter(text => text !== '').join('\n\n')}\n`;
}

const report = driver.read(process.argv[2]);
driver.writePage(process.argv[3], 'soak', page(report), plots(report.parts));
