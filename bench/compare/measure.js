'use strict';
// Measures all parts, round after round, and prints one JSON object. Called by `run`, which starts the servers.
//
//   node measure.js ROUNDS PATTERN SCALE     PATTERN chooses parts by PEER/BATCH; SCALE multiplies the counts

const fs = require('node:fs');
const path = require('node:path');
const { execFile } = require('node:child_process');
const { promisify } = require('node:util');
const { Client } = require('pg');
const { describeMachine, describeServer } = require('./machine');
const { runOurs } = require('./ours');
const { parts } = require('./plan');

const run = promisify(execFile);
const numbers = ['enqueue_per_second', 'finish_per_second', 'whole_life_per_second', 'log_bytes_per_job',
  'server_cpu_us_per_job', 'client_cpu_us_per_job'];

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.ceil((sorted.length - 1) / 2)]) / 2;
}

// A whole number of batches for each caller and worker.
function countJobs(part, scale) {
  const step = part.batch * Math.max(part.callers, part.workers);
  return Math.max(1, Math.round((part.jobs * scale) / step)) * step;
}

// Each part has a database of its own; dropping it makes a checkpoint, and another is made before the clock starts.
async function withDatabase(work) {
  const admin = new Client({ database: 'postgres' });
  await admin.connect();
  try {
    await admin.query('CREATE DATABASE compare');
    await admin.query('CHECKPOINT');
    return await work({ ...process.env, PGDATABASE: 'compare' });
  } finally {
    await admin.query('DROP DATABASE IF EXISTS compare WITH (FORCE)');
    await admin.end();
  }
}

function runPart(part) {
  return withDatabase(async env => {
    if (part.peer === 'pgqrs') return runOurs(part, env);
    const { stdout } = await run(process.execPath, [path.join(__dirname, 'part.js'), JSON.stringify(part)], { env });
    return { [part.peer]: JSON.parse(stdout) };
  });
}

function note(round, part, outcome) {
  for (const [peer, figures] of Object.entries(outcome))
    console.error(`round ${round}  ${peer.padEnd(9)} batch ${String(part.batch).padStart(4)}  ` +
      `${Math.round(figures.whole_life_per_second).toString().padStart(7)} jobs/s`);
}

// All rounds of a part: the medians, and what each round had.
function summarise(result) {
  const medians = Object.fromEntries(numbers.map(name => [name, median(result.rounds.map(round => round[name]))]));
  return { ...result, ...medians };
}

async function main() {
  const [rounds, pattern, scale] = [Number(process.argv[2]), new RegExp(process.argv[3]), Number(process.argv[4])];
  const chosen = parts
    .filter(part => pattern.test(`${part.peer}/${part.batch}`))
    .map(part => ({ ...part, jobs: countJobs(part, scale) }));
  if (chosen.length === 0) throw new Error(`no part matches "${process.argv[3]}"; see plan.js`);
  const started = new Date();
  const results = new Map();
  const machine = describeMachine(process.env.COMPARE_FOLDER);
  const server = await describeServer();

  for (let round = 1; round <= rounds; round++) {
    // Every other round backwards, so that nobody always comes first on a fresh disk.
    for (const part of round % 2 === 1 ? chosen : chosen.toReversed()) {
      const outcome = await runPart(part);
      note(round, part, outcome);
      for (const [peer, { settings, ...figures }] of Object.entries(outcome)) {
        const key = `${peer}/${part.batch}`;
        if (!results.has(key)) results.set(key, { ...part, peer, settings, rounds: [] });
        results.get(key).rounds.push(figures);
      }
    }
  }
  const report = {
    date: started.toISOString().slice(0, 10),
    seconds: Math.round((Date.now() - started) / 1000),
    rounds,
    scale,
    machine,
    ...server,
    redis_settings: process.env.COMPARE_REDIS_SETTINGS,
    plain_statements: Object.fromEntries(['create', 'enqueue', 'work'].map(name =>
      [name, fs.readFileSync(path.join(__dirname, 'plain', `${name}.sql`), 'utf8')])),
    parts: [...results.values()].map(summarise),
  };
  console.log(JSON.stringify(report, null, 2));
}

main().catch(error => {
  console.error(`compare: ${error.stderr || error.stack || error}`);
  process.exit(1);
});
