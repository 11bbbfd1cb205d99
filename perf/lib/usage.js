'use strict';
// What a stretch of work costs: processor time of a server's processes, of ours, and of the whole machine.

const fs = require('node:fs');
const os = require('node:os');
const { execFileSync } = require('node:child_process');

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
const now = () => Number(process.hrtime.bigint()) / 1e9;

// Own and reaped ticks of a process, and its parent; null if it is gone.
function readProcess(pid) {
  let text;
  try {
    text = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null;
  }
  // The name, in parentheses, may hold anything; the numbers follow its last one.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ').map(Number);
  return { parent: fields[1], own: fields[11] + fields[12], reaped: fields[13] + fields[14] };
}

// Seconds that a server has used: its first process, that one's children, and those that have ended.
function serverCpu(pid) {
  const first = readProcess(pid);
  if (first === null) throw new Error(`could not read the processor time of the server: process ${pid} is gone`);
  let ticks = first.own + first.reaped;
  for (const name of fs.readdirSync('/proc')) {
    if (!/^[0-9]+$/.test(name)) continue;
    const child = readProcess(name);
    if (child !== null && child.parent === pid) ticks += child.own + child.reaped;
  }
  return ticks / ticksPerSecond;
}

// Seconds that this process and the programs it ran have used.
function clientCpu() {
  const own = process.cpuUsage();
  return (own.user + own.system) / 1e6 + readProcess('self').reaped / ticksPerSecond;
}

// Seconds that all processors of the machine were busy with anything.
function machineCpu() {
  const line = /^cpu +(.*)$/m.exec(fs.readFileSync('/proc/stat', 'utf8'))[1];
  const [user, nice, system, , , irq, softirq] = line.split(' ').map(Number);
  return (user + nice + system + irq + softirq) / ticksPerSecond;
}

// What `work` returns, its seconds, and the share of the processors that went to programs that have nothing to do with
// it: neither this one nor the servers whose first processes are `pids`.
async function withOthers(pids, work) {
  const ours = () => pids.reduce((sum, pid) => sum + serverCpu(pid), clientCpu());
  const before = { machine: machineCpu(), ours: ours(), time: now() };
  const outcome = await work();
  const seconds = now() - before.time;
  const others = Math.max(0, machineCpu() - before.machine - (ours() - before.ours)) / (seconds * os.cpus().length);
  return { outcome, seconds, others };
}

module.exports = { serverCpu, clientCpu, machineCpu, withOthers, now };
