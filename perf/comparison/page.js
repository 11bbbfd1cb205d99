'use strict';
// Writes docs/benchmarks.md and its plots: `node page.js FILE DOCS`.

const driver = require('../lib/driver');
const { lines, grouped, short, percent } = require('../lib/figures');
const { machineSection } = require('../lib/machine');
const { peers, find } = require('./peers');
const { plots } = require('./plots');
const { quietRounds } = require('./rounds');
const { sections } = require('./sections');

// As it was called, so that the page never claims a run that was not.
function command(report) {
  const options = [`--rounds ${report.rounds}`, report.only === '.' ? '' : `--only '${report.only}'`,
    report.scale === 1 ? '' : `--scale ${report.scale}`, report.quiet < 1 ? `--quiet ${Math.round(report.quiet * 100)}` : ''];
  return `perf/compare ${options.filter(option => option !== '').join(' ')}`;
}

function opening(report) {
  return `# Benchmarks

<!-- Written by perf/compare; change that, not this page. -->

pgqrs and its peers, measured in one run on one machine, ${report.date}. Everything is durable when it is acknowledged:
PostgreSQL with its default settings (\`fsync\`, \`synchronous_commit\` and \`full_page_writes\` on), Redis with \`appendfsync
always\`. Payloads are JSON of 100 bytes, and jobs do nothing, so these are the costs of the queues alone. All of it again,
on your machine, in about ten minutes (this run took ${Math.ceil(report.seconds / 60)}, with its waiting for other programs):

\`\`\`sh
${command(report)}
\`\`\``;
}

// What stands out, in figures of this run and whichever way they fall.
function summary(report) {
  return [1, 100].filter(batch => find(report.parts, 'pgqrs', batch)).map(batch => {
    const ours = find(report.parts, 'pgqrs', batch).whole_life.jobs_per_second;
    const ratios = peers
      .filter(peer => peer.key !== 'pgqrs' && find(report.parts, peer.key, batch))
      .map(peer => [peer.name, ours / find(report.parts, peer.key, batch).whole_life.jobs_per_second]);
    const side = chosen => chosen.map(([name, ratio]) => `${name} (${short(ratio)})`).join(', ') || 'none';
    return `- **Batch ${batch}**: ${grouped(ours)} jobs a second through their whole life.\n` +
      `  Times faster than: ${side(ratios.filter(([, ratio]) => ratio >= 1))}.\n` +
      `  Slower than (fraction of its rate): ${side(ratios.filter(([, ratio]) => ratio < 1))}.`;
  }).join('\n');
}

// Where a round was too noisy, what is called a median is less than that: said before the first table.
function warning(report) {
  const fewer = report.parts.filter(part => quietRounds(part.rounds, report.quiet).length < part.rounds.length);
  if (fewer.length === 0) return '';
  return `**Noise.** Other programs had more than ${percent(report.quiet)} of the processors during one or more rounds of ` +
    'these, which therefore rest on fewer rounds than the others, possibly on one: ' +
    `${fewer.map(part => part.name).join(', ')}. Leaving a noisy round out usually raises a figure, so ` +
    'ratios to peers that kept all rounds are kinder to these. All rounds are under "Commands", those left out in brackets.';
}

function compared() {
  return `## What is compared with what

${lines(['peer', 'client', 'what it is and how it is used'], peers.map(peer => [peer.name, peer.client, peer.about]), true)}

Read the figures with these in mind:

- The clients of four peers are JavaScript, as their users' programs are. One process each: it has one processor, and the
  server the other. The costs on the server do not depend on that; rates do.
- Every part has a database of its own, with a \`CHECKPOINT\` before. Connections are open before the clock starts (the workers
  of graphile-worker and BullMQ start within the clock, some milliseconds). Peers run 2,000 jobs to warm up; between
  the phases they get an \`ANALYZE\`, without which pg-boss cost two to three times as much. \`pgqrs bench\` has neither.
- A claim of pgqrs does not wait for the disk, its enqueue and finish do: a lease that a crash forgets is a message that is
  due again. \`plain SKIP LOCKED\` waits three times, "plain, claim not flushed" twice.
- Every part ends with a check that all jobs were handed out and nothing is left; \`pgqrs bench\` compares every id.
- BullMQ is as durable only with \`appendfsync always\`, which is not how it is usually run. Redis then flushes before it
  answers, once for all commands that arrived together (as PostgreSQL does for commits that wait at the same time), and does
  nothing else meanwhile. It flushes claims, too. PgQ writes nothing for a claim.
- The server's processor time comes in steps of 10 ms a process: where few jobs ran, as in the idle half of pickup, its last
  digits mean little.`;
}

// In brackets if it does not count.
function roundFigures(part, round, limit) {
  const text = part.kind === 'pickup' ? `${grouped(round.idle.p50_us)}/${grouped(round.half.p50_us)} µs`
    : part.kind === 'wake' ? `${short(round.ratio)} of ${grouped(round.off_per_second)}`
      : grouped(round.whole_life.jobs_per_second);
  return quietRounds(part.rounds, limit).includes(round) ? text : `[${text}]`;
}

function circumstances(report) {
  const { median, highest } = report.others_cpu_share;
  const facts = [
    ['other programs meanwhile', `${percent(median)} of the processors in the median of the parts, ${percent(highest)} in ` +
      "the worst; the kernel's own work is in it"],
    ['rounds', `${report.rounds}, every other one backwards; the medians are reported`],
    ...(report.quiet < 1 ? [['noise', `parts during which other programs had more than ${percent(report.quiet)} of the ` +
      'processors were repeated, and do not count where there is a quiet round (they are in brackets below)']] : []),
  ];
  return `${machineSection(report, facts)}

## Commands

\`\`\`sh
initdb --auth trust --encoding UTF8 --locale C.UTF-8
pg_ctl start -o "-c listen_addresses=''"
redis-server ${report.redis_settings}
\`\`\`

The jobs of each part, what was run, and the rounds' whole-life rates, or medians of pickup when idle
and at half load:

${lines(['part', 'jobs', 'in each round', 'command or settings'], report.parts.map(part =>
    [part.name, grouped(part.jobs), part.rounds.map(round => roundFigures(part, round, report.quiet)).join(', '),
      `\`${part.settings}\``]), true)}

The plain statements:

\`\`\`sql
${Object.entries(report.plain_statements).map(([name, text]) => `-- plain_${name}.sql\n${text.trim()};`).join('\n\n')}
\`\`\``;
}

// Without the images that this run has nothing for.
function page(report, drawn) {
  const parts = [opening(report), summary(report), warning(report), ...sections(report.parts), compared(),
    circumstances(report)];
  const text = parts.filter(part => part !== '').join('\n\n');
  return `${text.replace(/!\[[^\]]*\]\(benchmarks\/(.*?)\)\n\n/g, (image, name) =>
    (drawn.some(([file]) => file === name) ? image : ''))}\n`;
}

const report = driver.read(process.argv[2]);
const drawn = plots(report);
driver.writePage(process.argv[3], 'benchmarks', page(report, drawn), drawn);
