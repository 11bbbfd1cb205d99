'use strict';
// Runs the parts of the plan one after the other and writes what they said as one JSON file. Started by bench/soak/run,
// which tells it by SOAK_... what to do.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { execFile } = require('node:child_process');
const { promisify } = require('node:util');
const { serverCpu, clientCpu, machineCpu } = require('../compare/usage');
const { describeMachine, describeServer } = require('./machine');
const { planParts } = require('./plan');

const run = promisify(execFile);
const command = path.join(__dirname, '..', '..', 'build', 'pgqrs');
const { SOAK_FOLDER: folder, SOAK_OUTPUT: output, SOAK_POSTGRES_PID: postgresPid } = process.env;
const env = { ...process.env, PGQRS_DSN: `host=${folder} user=postgres dbname=postgres` };
let signal = null;

const now = () => Number(process.hrtime.bigint()) / 1e9;
const ours = () => clientCpu() + serverCpu(Number(postgresPid));

// A part's result, its command, and the share of the processors that went to programs which have nothing to do with it.
async function measure(part) {
  const before = { machine: machineCpu(), ours: ours(), time: now() };
  const { stdout } = await run(command, part.command.map(String), { env, maxBuffer: 2 ** 26 });
  const available = (now() - before.time) * os.cpus().length;
  const others = Math.max(0, machineCpu() - before.machine - (ours() - before.ours)) / available;
  return { ...part, command: `pgqrs ${part.command.join(' ')}`, seconds: now() - before.time, others_cpu_share: others,
    result: JSON.parse(stdout) };
}

function note(part) {
  const { result } = part;
  const said = result.windows
    ? `rate ${result.ratio} of the first, claim p99 ${result.claim_p99_ratio} times`
    : `claim p99 ${result.ratio_p99} times`;
  console.error(`${part.name.padEnd(12)} ${said}; others had ${Math.round(part.others_cpu_share * 100)} % of the processors`);
}

// So that a file that is there is whole.
function write(report) {
  fs.mkdirSync(path.dirname(output), { recursive: true });
  fs.writeFileSync(`${output}.new`, `${JSON.stringify(report, null, 2)}\n`);
  fs.renameSync(`${output}.new`, output);
  console.log(`written: ${output}`);
}

async function main() {
  const numbers = Object.fromEntries(process.env.SOAK_NUMBERS.split('\n').map(line => line.split('='))
    .map(([name, value]) => [name, Number(value)]));
  const set = process.env.SOAK_SET === '' ? [] : process.env.SOAK_SET.split(' ');
  const started = new Date();
  const machine = describeMachine(folder);
  const server = describeServer(folder, command, set.map(text => text.split('=')[0]));
  const parts = [];

  await run(command, ['install'], { env });
  for (const part of planParts(process.env.SOAK_PARTS.split(','), numbers)) {
    if (signal !== null) throw new Error(`ended by ${signal}`);
    parts.push(await measure(part));
    note(parts.at(-1));
  }
  write({ date: started.toISOString().slice(0, 10), seconds: Math.round((Date.now() - started) / 1000), numbers, set, machine,
    ...server, parts });
}

// The benchmark gets the same signal and removes its queues; this waits for it.
for (const name of ['SIGINT', 'SIGTERM']) process.on(name, () => { signal = name; });

main().catch(error => {
  console.error(`soak: ${error.stderr || error.stack || error}`);
  process.exit(1);
});
