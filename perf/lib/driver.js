'use strict';
// The programs that measure in C, and what a run of them needs.

const fs = require('node:fs');
const path = require('node:path');
const { execFile } = require('node:child_process');
const { promisify } = require('node:util');

const run = promisify(execFile);
const build = path.join(__dirname, '..', '..', 'build');
const command = path.join(build, 'pgqrs');

// The lines NAME=VALUE that perf/lib.sh hands over.
const options = () => Object.fromEntries(process.env.PERF_OPTIONS.split('\n').map(line => /^(.*?)=(.*)$/.exec(line).slice(1)));

const words = (mode, settings) => [mode, ...Object.entries(settings).map(([name, value]) => `${name}=${value}`)];

// Runs perf-driver in a database, with pgqrs installed in it. Returns its report, and how it was called.
async function drive(mode, settings, database = 'postgres') {
  const env = { ...process.env, PGQRS_DSN: `host=${process.env.PGHOST} user=${process.env.PGUSER} dbname=${database}` };
  await run(command, ['install'], { env });
  const { stdout } = await run(path.join(build, 'perf', 'perf-driver'), words(mode, settings), { env, maxBuffer: 2 ** 26 });
  const report = JSON.parse(stdout);
  if (!report.complete) throw new Error(`perf-driver lost or doubled messages: ${stdout}`);
  return { settings: `perf-driver ${words(mode, settings).join(' ')}`, report };
}

// So that a file that is there is whole.
function write(report) {
  const output = process.env.PERF_OUTPUT;
  fs.mkdirSync(path.dirname(output), { recursive: true });
  fs.writeFileSync(`${output}.new`, `${JSON.stringify(report, null, 2)}\n`);
  fs.renameSync(`${output}.new`, output);
  console.log(`written: ${output}`);
}

function read(file) {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch (error) {
    console.error(`perf: could not read "${file}": ${error.message}`);
    return process.exit(1);
  }
}

// A page and the folder of its plots, [name, text] each: what is in that folder would be of another run.
function writePage(docs, name, text, plots) {
  const folder = path.join(docs, name);
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  for (const [file, drawn] of plots) fs.writeFileSync(path.join(folder, file), drawn);
  fs.writeFileSync(path.join(docs, `${name}.md`), text);
  console.log(`written: ${path.join(docs, `${name}.md`)} and ${plots.length} plots`);
}

module.exports = { drive, options, write, read, writePage, command };
