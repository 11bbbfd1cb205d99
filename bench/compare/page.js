'use strict';
// The text of docs/benchmarks.md.

const { peers } = require('./names');
const { quietRounds } = require('./summary');
const { lines, rate, cost, grouped, short, find } = require('./table');

const percent = share => `${Math.round(share * 100)} %`;
const batches = parts => [...new Set(parts.map(part => part.batch))].sort((a, b) => a - b);
const columnsOf = (parts, figure, format) =>
  batches(parts).map(batch => ({ figure, batch, format, title: `batch ${batch}` }));

function opening(report) {
  return `# Benchmarks

<!-- Written by bench/compare/report from what bench/compare/run measured; change those, not this page. -->

pgqrs and its peers, measured in one run on one machine, ${report.date}. Everything is durable when it is acknowledged:
PostgreSQL with its default settings (\`fsync\`, \`synchronous_commit\` and \`full_page_writes\` on), Redis with \`appendfsync
always\`. Payloads are JSON of 100 bytes, and jobs do nothing, so these are the costs of the queues alone. All of it again,
on your machine, in about five minutes (this run took ${Math.ceil(report.seconds / 60)}, with its waiting for other programs):

\`\`\`sh
bench/compare/run${report.quiet < 1 ? ` --rounds ${report.rounds} --quiet ${Math.round(report.quiet * 100)}` : ''}
bench/compare/report
\`\`\``;
}

// What stands out, in figures of this run and whichever way they fall.
function summary(report) {
  return [1, 100].filter(batch => find(report.parts, 'pgqrs', batch)).map(batch => {
    const ours = find(report.parts, 'pgqrs', batch).whole_life_per_second;
    const ratios = peers
      .filter(peer => peer.key !== 'pgqrs' && find(report.parts, peer.key, batch))
      .map(peer => [peer.name, ours / find(report.parts, peer.key, batch).whole_life_per_second]);
    const side = chosen => chosen.map(([name, ratio]) => `${name} (${short(ratio)})`).join(', ') || 'none';
    return `- **Batch ${batch}**: ${grouped(ours)} jobs a second through their whole life.\n` +
      `  Faster than, so many times: ${side(ratios.filter(([, ratio]) => ratio >= 1))}.\n` +
      `  Slower than, at so much of its rate: ${side(ratios.filter(([, ratio]) => ratio < 1))}.`;
  }).join('\n');
}

// Where a round was too noisy, what is called a median is less than that: said before the first table.
function warning(report) {
  const fewer = report.parts.filter(part => quietRounds(part.rounds, report.quiet).length < part.rounds.length);
  if (fewer.length === 0) return '';
  return `**Noise.** Other programs had more than ${percent(report.quiet)} of the processors during one or more rounds of these, ` +
    `which therefore rest on fewer rounds than the others, possibly on one: ` +
    `${fewer.map(part => `${part.peer}/${part.batch}`).join(', ')}. Leaving a noisy round out usually raises a figure, so ` +
    'ratios to peers that kept all rounds are kinder to these. All rounds are under "Commands", those left out in brackets.';
}

function figures(report) {
  const { parts } = report;
  return `## Whole life

Jobs a second that were enqueued and then claimed and finished: jobs divided by the sum of both times. In parentheses how
many times faster pgqrs is; below 1 it is slower.

${rate(parts, columnsOf(parts, 'whole_life_per_second'))}

![Whole life, batch 100](benchmarks/whole-life-100.svg)

![Whole life, one job a call](benchmarks/whole-life-1.svg)

## Enqueue

Batch 1 is eight callers that each wait for their own job; the others are four callers.

${rate(parts, columnsOf(parts, 'enqueue_per_second'))}

## Claim and finish

A backlog is worked off; eight workers with batch 1, else four (where a peer has its own idea of both, see below).

${rate(parts, columnsOf(parts, 'finish_per_second'))}

## Cost of a job

For the whole life. In parentheses how many times as much as pgqrs; below 1 it costs less. Bytes of log are write-ahead
log, for BullMQ the append-only file. Server is all processes of the database; client is the one process that enqueues
and works.

Bytes of log:

${cost(parts, columnsOf(parts, 'log_bytes_per_job'))}

Processor time of the server, microseconds:

${cost(parts, columnsOf(parts, 'server_cpu_us_per_job', short))}

Processor time of the client, microseconds:

${cost(parts, columnsOf(parts, 'client_cpu_us_per_job', short))}`;
}

function compared() {
  return `## What is compared with what

${lines(['', 'client', 'what it is and how it is used'].map((cell, index) => (index === 0 ? 'peer' : cell)),
    peers.map(peer => [peer.name, peer.client, peer.about])).replace('| ---: | ---: |', '| --- | --- |')}

Read the figures with these in mind:

- The clients of four peers are JavaScript, as their users' programs are. One process each: it has one processor, and the
  server the other. The costs on the server do not depend on that; rates do.
- Every part has a database of its own, with a \`CHECKPOINT\` before. Connections are open before the clock starts (the workers
  of graphile-worker and BullMQ start within the clock, some milliseconds). Peers run 2,000 jobs to warm up; between
  the phases they get an \`ANALYZE\`, without which pg-boss cost two to three times as much. \`pgqrs bench\` has neither.
- A claim of pgqrs does not wait for the disk, its enqueue and finish do: a lease that a crash forgets is a message that is
  due again. \`plain SKIP LOCKED\` waits three times.
- Every part ends with a check that all jobs were handed out and nothing is left; \`pgqrs bench\` compares every id.
- How soon an idle worker picks up a job is not measured here yet: pgqrs polls, its wake-ups are still to come, while
  graphile-worker and BullMQ have theirs.`;
}

// In brackets if it does not count.
function roundRate(part, round, limit) {
  const text = grouped(round.whole_life_per_second);
  return quietRounds(part.rounds, limit).includes(round) ? text : `[${text}]`;
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
    ['other programs meanwhile', `${percent(report.others_cpu_share.median)} of the processors in the median of the parts, ` +
      `${percent(report.others_cpu_share.highest)} in the worst; the kernel's own work is in it`],
    ['rounds', `${report.rounds}, every other one backwards; the medians are reported`],
    ...(report.quiet < 1 ? [['noise', `parts during which other programs had more than ${percent(report.quiet)} of the ` +
      'processors were repeated, and do not count where there is a quiet round (they are in brackets below)']] : []),
    ...Object.entries(report.versions),
  ];
  return `## Machine, versions, settings

${lines(['', ''], facts).replace('| ---: |', '| --- |')}

Settings of PostgreSQL, all of them defaults: ${Object.entries(report.settings).map(([name, value]) =>
    `\`${name} = ${value}\``).join(', ')}. Client and server share the machine, and talk through a unix socket.

## Commands

\`\`\`sh
initdb --auth trust --encoding UTF8 --locale C.UTF-8
pg_ctl start -o "-c listen_addresses=''"
redis-server ${report.redis_settings}
\`\`\`

The jobs of each part, what was run, and the rounds' whole-life rates:

${lines(['part', 'jobs', 'jobs/s in each round', 'command or settings'], report.parts.map(part =>
    [`${part.peer}, batch ${part.batch}`, grouped(part.jobs),
      part.rounds.map(round => roundRate(part, round, report.quiet)).join(', '), `\`${part.settings}\``]))
    .replace('| ---: |\n', '| --- |\n')}

The plain statements, as pgbench runs them:

\`\`\`sql
${['create', 'enqueue', 'work'].map(name => `-- ${name}.sql\n${report.plain_statements[name].trim()}`).join('\n\n')}
\`\`\``;
}

function page(report) {
  return [opening(report), summary(report), warning(report), figures(report), compared(), circumstances(report), ''].filter((text, index, all) => text !== '' || index === all.length - 1).join('\n\n')
    .replace(/\n+$/, '\n');
}

module.exports = { page };
