'use strict';
// The text of docs/soak.md.

const { grouped, lines } = require('../compare/table');
const { isHeld, targets, title } = require('./figures');

const percent = share => `${Math.round(share * 100)} %`;
const number = value => (value === null ? 'none' : value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2));
const leftAligned = table => table.replaceAll('---:', '---');
const capital = text => text[0].toUpperCase() + text.slice(1);
const runDefaults = { seconds: 600, rate: 25000, backlog: 10000000, delayed: 1000000, claims: 20000 };

// The options that this run was given.
function given(report) {
  const options = Object.keys(runDefaults).filter(name => report.numbers[name] !== runDefaults[name])
    .map(name => ` --${name} ${report.numbers[name]}`);
  const kinds = [...new Set(report.parts.map(part => part.kind))].join(',');
  if (kinds !== 'backlog,delayed,read-only,xid') options.push(` --parts ${kinds}`);
  return [...options, ...report.set.map(setting => ` --set ${setting}`)].join('');
}

function opening(report) {
  return `# Over time

<!-- Written by bench/soak/report from what bench/soak/run measured; change those, not this page. -->

What a claim costs with many messages in the queue, and how a queue holds its rate for minutes while somebody keeps a
transaction open, so that no dead row can be removed. One run on one machine, ${report.date}, ${Math.ceil(report.seconds / 60)} minutes.
Everything is durable when it is acknowledged. Payloads are JSON of 100 bytes, and jobs do nothing. All of it again, on your
machine:

\`\`\`sh
bench/soak/run${given(report)}
bench/soak/report
\`\`\``;
}

function summary(report) {
  const rows = report.parts.flatMap(part => targets(part).map(([what, target, measured, reached]) =>
    [title(part), what, target, number(measured), reached ? 'yes' : '**no**']));
  return leftAligned(lines(['', 'ratio', 'target', 'measured', 'reached'], rows));
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

Two queues on one server; one of them holds waiting messages, or such that are due in an hour. One thread enqueues a batch
into one, claims a batch and deletes it, then does the same with the other: one queue is empty before each enqueue, the other
has as many as at the beginning. So both meet the same moments of the machine. Milliseconds of a claim:

${lines(['', 'p50', 'p99', 'longest', 'claims'], rows)}

${parts.map(part => `![${capital(title(part))}](soak/claim-${part.name}.svg)`).join('\n\n')}`;
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

function held(parts) {
  if (parts.length === 0) return '';
  const { settings, compared_seconds: compared, window_seconds: window } = parts[0].result;
  const spent = parts.map(({ kind, result }) => [kind, grouped(result.finished), grouped(result.skipped),
    grouped(result.dead_rows), `${grouped(result.ready_table_bytes / 2 ** 20)} MiB`,
    `${grouped(result.ready_index_bytes / 2 ** 20)} MiB`, number(result.hot_update_ratio), grouped(result.wal_bytes_per_job)]);
  return `## A transaction held open

${grouped(settings.rate)} messages a second for ${grouped(settings.seconds)} seconds, enqueued, claimed and deleted by 100. The
beginning and the end are ${compared} seconds each; a point of a plot is ${window} s. Milliseconds of a claim:

${lines(['', 'finished a second', 'claim p50', 'claim p99', 'longest', 'claims'], parts.flatMap(heldRows))}

${parts.map(worstSecond).join('\n')}

![Rate](soak/rate.svg)

${parts.map(part => `![${capital(title(part))}](soak/claim-${part.name}.svg)`).join('\n\n')}

What was there at the end, while the transaction was still open. Skipped are messages that could not be sent in time:

${lines(['', 'finished', 'skipped', 'dead rows', 'table', 'index', 'HOT updates', 'bytes of log a job'], spent)}`;
}

function circumstances(report) {
  const { machine } = report;
  const facts = [
    ['processors', `${machine.processors} (${machine.processor}, ${machine.architecture})`],
    ['memory', `${machine.memory_gib} GiB`],
    ['system', machine.kernel],
    ['file system', machine.file_system],
    ['a flushed write of 8 kB', `${machine.flush_8k_ms.toFixed(2)} ms (median of 200)`],
    ['load before the run', machine.load_before.toFixed(2)],
    ...Object.entries(report.versions),
  ];
  const commands = report.parts.map(part =>
    [`\`${part.command}\``, grouped(part.seconds), percent(part.others_cpu_share), part.result.complete ? 'yes' : '**no**']);
  return `## Machine, versions, settings

${leftAligned(lines(['', ''], facts))}

Settings of PostgreSQL${report.set.length > 0 ? `, of which ${report.set.map(text => `\`${text}\``).join(', ')} chosen for this run` : ', all of them defaults'}: ${Object.entries(report.settings).map(([name, value]) =>
    `\`${name} = ${value}\``).join(', ')}. Client and server share the machine, and talk through a unix socket.

## Commands

Complete: every id came out exactly once, nothing is left that should not be. Others: the share of the processors that went
to programs which have nothing to do with this; the kernel's own work is in it.

${lines(['command', 'seconds', 'others', 'complete'], commands)}`;
}

function page(report) {
  return `${[opening(report), warning(report), summary(report), twins(report.parts.filter(part => !isHeld(part))),
    held(report.parts.filter(isHeld)), circumstances(report)].filter(text => text !== '').join('\n\n')}\n`;
}

module.exports = { page };
